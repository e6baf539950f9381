//go:build race

package realtest

// raceEnabled says that this test binary was built with -race.
const raceEnabled = true
