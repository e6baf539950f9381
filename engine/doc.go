// Package engine decides what a sign-up still needs.
//
// It is one question and one answer. [Evaluate] takes the settings of an
// instance and an attempt, and says which fields are required, optional,
// missing and unverified, why, and what blocks completion. [Decide] takes a
// command as well, and the facts the world has to say about it, and returns
// the attempt as it should be stored together with the effects to perform
// once it is.
//
// Nothing here does I/O, reads a clock, draws randomness or takes a context:
// times, nonces and the outcome of comparisons arrive as values, and work to
// be done leaves as values. The same input gives the same output, so the
// whole truth table can be walked by a test.
//
// The word "attempt" is the sign-up as stored. What a client sees of it (the
// lists, the status) is derived and never stored as truth.
package engine
