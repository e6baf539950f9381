// Package signup is the one shell around the engine.
//
// [Service] is the only way to a sign-up: it loads the attempt, gathers the
// facts the engine asks for, lets [stepwise/engine.Decide] answer, saves the
// answer by compare-and-set, and only then acts on the world. Every act can be
// repeated without harm, so a process may die between any two lines.
//
// The ports ([Attempts], [Hints], [Budgets], [Directory], [Messenger]) say
// what their adapters guarantee; the suites in attemptstest and directorytest
// hold every adapter to it.
package signup
