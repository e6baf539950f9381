package engine_test

import (
	"flag"
	"log"
	"os"
	"testing"
)

// TestMain lets random properties run long enough to mean something. A command
// line that says otherwise wins; a failure prints the seed that repeats it.
func TestMain(m *testing.M) {
	checks := "2000"
	if raceDetector {
		checks = "200"
	}
	for name, value := range map[string]string{"rapid.checks": checks, "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			log.Fatal(err)
		}
	}
	os.Exit(m.Run())
}
