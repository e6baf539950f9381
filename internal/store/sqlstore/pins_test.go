package sqlstore

import (
	"encoding/json"
	"os/exec"
	"testing"
)

// The driver of SQLite is translated for one version of its C library and asks
// to be built with no other, which a newer requirement of some other module
// would change silently.
func TestSQLiteHasTheLibraryItWasBuiltFor(t *testing.T) {
	const driverModule, library = "modernc.org/sqlite", "modernc.org/libc"
	type module struct{ Path, Version, GoMod string }
	var driver, chosen module
	goOutput(t, &driver, "list", "-m", "-json", driverModule)
	goOutput(t, &chosen, "list", "-m", "-json", library)

	var declared struct{ Require []module }
	goOutput(t, &declared, "mod", "edit", "-json", driver.GoMod)
	for _, m := range declared.Require {
		if m.Path != library {
			continue
		}
		if m.Version != chosen.Version {
			t.Errorf("%s %s wants %s %s, go.mod has %s", driver.Path, driver.Version, library, m.Version, chosen.Version)
		}
		return
	}
	t.Errorf("%s requires no %s", driver.GoMod, library)
}

func goOutput(t *testing.T, into any, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", args...).Output()
	if err != nil {
		t.Fatalf("go %v: %v", args, err)
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatalf("go %v: %v", args, err)
	}
}
