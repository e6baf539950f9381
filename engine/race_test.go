//go:build race

package engine_test

// raceDetector: everything is an order of magnitude slower, so tables that
// start no goroutine of the engine's are walked in part only.
const raceDetector = true
