package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path of this module, as imports begin with it.
const module = "stepwise"

// mayImport says for every package which of ours it may import, besides itself;
// a name ending in "/..." stands for all packages below. Nothing points back.
var mayImport = map[string][]string{
	"engine":                        {},
	"internal/identifier":           {},
	"internal/password":             {},
	"internal/password/commonlist":  {"internal/password"},
	"internal/signup":               {"engine", "internal/identifier", "internal/password"},
	"internal/signup/attemptstest":  {"engine", "internal/signup"},
	"internal/signup/directorytest": {"engine", "internal/signup"},
	"internal/store/...":            {"engine", "internal/signup"},
	"internal/outbound":             {},
	"internal/prove/...":            {"engine", "internal/signup", "internal/outbound"},
	"internal/deliver/...":          {"engine", "internal/signup", "internal/outbound"},
	"internal/landing":              {"engine", "internal/signup"},
	"internal/transport/...":        {},
	"internal/config":               {"engine", "internal/signup"},
	"internal/realtest/...":         {},
	"graph":                         {"engine"},
	"resolvers":                     {"graph", "engine", "internal/signup"},
	"web/...":                       {},
	"test/...":                      {},
	"examples/...":                  {},
	".":                             {"engine", "graph", "resolvers", "internal/...", "web/..."},
}

// forTests are packages that only tests and each other may import.
var forTests = []string{"internal/signup/attemptstest", "internal/signup/directorytest", "internal/realtest"}

// TestImportsPointOneWay holds every file that is not a test to mayImport.
func TestImportsPointOneWay(t *testing.T) {
	seen := map[string]bool{}
	for file, imports := range importsByFile(t) {
		from := path.Dir(file)
		rule, ok := ruleFor(from)
		if !ok {
			t.Errorf("%s: nothing is said about what %s may import", file, from)
			continue
		}
		seen[rule] = true
		for _, to := range imports {
			if to != from && !covered(mayImport[rule], to) {
				t.Errorf("%s imports %s", file, to)
			}
			if slices.Contains(forTests, to) && !slices.Contains(forTests, from) {
				t.Errorf("%s imports %s, which is for tests", file, to)
			}
		}
	}
	for _, needed := range []string{"engine", "internal/signup", "internal/store/...", "resolvers", "graph", "."} {
		if !seen[needed] {
			t.Errorf("no file of %s was looked at", needed)
		}
	}
}

// importsByFile returns what each file that is not a test imports of ours, by
// its path below the root.
func importsByFile(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && isIgnored(entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		all[name] = nil
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if ours, ok := strings.CutPrefix(imported, module+"/"); ok {
				all[name] = append(all[name], ours)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// isIgnored tells directories that the go command does not look into.
func isIgnored(name string) bool {
	return name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

// ruleFor returns the key of mayImport for a package.
func ruleFor(name string) (rule string, ok bool) {
	if _, ok := mayImport[name]; ok {
		return name, true
	}
	for below := name; below != "."; below = path.Dir(below) {
		if _, ok := mayImport[below+"/..."]; ok {
			return below + "/...", true
		}
	}
	return "", false
}

func covered(allowed []string, name string) bool {
	return slices.ContainsFunc(allowed, func(rule string) bool {
		root, below := strings.CutSuffix(rule, "/...")
		return rule == name || below && (name == root || strings.HasPrefix(name, root+"/"))
	})
}
