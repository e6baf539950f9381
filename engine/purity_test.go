package engine_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestEngineDecidesAndPerformsNothing reads the engine's sources: they import
// what computes and nothing that acts, and ask nobody for the time.
func TestEngineDecidesAndPerformsNothing(t *testing.T) {
	allowed := []string{"cmp", "errors", "iter", "maps", "slices", "strconv", "strings", "time", "unicode"}
	clocks := []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTicker", "NewTimer", "LoadLocation", "Local"}
	files := token.NewFileSet()
	packages, err := parser.ParseDir(files, ".", func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) != 1 || len(packages["engine"].Files) < 5 {
		t.Fatalf("these are not the engine's sources: %v", packages)
	}
	for name, file := range packages["engine"].Files {
		for _, imported := range file.Imports {
			path, err := strconv.Unquote(imported.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(allowed, path) {
				t.Errorf("%s imports %s", name, path)
			}
			if imported.Name != nil {
				t.Errorf("%s gives %s another name, which hides what is used of it", name, path)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clocks, n.Sel.Name) {
					t.Errorf("%v: time.%s", files.Position(n.Pos()), n.Sel.Name)
				}
			case *ast.GoStmt, *ast.SendStmt, *ast.SelectStmt, *ast.ChanType:
				t.Errorf("%v: concurrency", files.Position(n.Pos()))
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "panic" || f.Name == "print" || f.Name == "println") {
					t.Errorf("%v: %s", files.Position(n.Pos()), f.Name)
				}
			}
			return true
		})
	}
}
