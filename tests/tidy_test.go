package tests

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

const root = ".."

// sourceFiles calls fn for every file of ours with that ending.
func sourceFiles(t *testing.T, dirs []string, ext string, fn func(path string, data []byte)) {
	for _, dir := range dirs {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || (d.IsDir() && (d.Name() == "node_modules" || d.Name() == "out")) {
				if d != nil && d.IsDir() && err == nil {
					return fs.SkipDir
				}
				return err
			}
			if strings.HasSuffix(path, ext) && !d.IsDir() {
				data, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				fn(path, data)
			}
			return nil
		})
		require.NoError(t, err)
	}
}

// The same inputs give the same trace: the engine starts no goroutine, keeps no package state, reads no
// clock, and writes nothing in the order of a map.
func TestTheEngineIsDeterministic(t *testing.T) {
	sourceFiles(t, []string{"sim"}, ".go", func(path string, data []byte) {
		if strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/cmd/") || strings.Contains(path, "/tsgen/") {
			return
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, data, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt, *ast.SelectStmt:
				t.Errorf("%s: goroutines and select have no place in the engine", set.Position(n.Pos()))
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && (n.Sel.Name == "Now" || n.Sel.Name == "Sleep" || n.Sel.Name == "Since") {
					t.Errorf("%s: time.%s: virtual time only", set.Position(n.Pos()), n.Sel.Name)
				}
			case *ast.FuncDecl:
				if n.Recv == nil && n.Name.Name == "init" {
					t.Errorf("%s: func init", set.Position(n.Pos()))
				}
			}
			return true
		})
	})
}

func TestNoPathOfAMachineAndNoOddBytes(t *testing.T) {
	for _, ext := range []string{".go", ".ts", ".md", ".sh", ".json", ".html", ".css"} {
		sourceFiles(t, []string{"sim", "wasm", "tests", "docs", "content", "site"}, ext, func(path string, data []byte) {
			if strings.Contains(path, "/testdata/fuzz/") || strings.Contains(path, "/public/") {
				return
			}
			require.True(t, utf8.Valid(data), "%s is not UTF-8", path)
			for _, bad := range []string{"/wo" + "rk/", "/root" + "/go", "/tmp/" + "bash"} {
				require.NotContains(t, string(data), bad, path)
			}
		})
	}
}

func TestFunctionsFitAScreen(t *testing.T) {
	const lines = 80 // about 70, comments included
	sourceFiles(t, []string{"sim", "wasm"}, ".go", func(path string, data []byte) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, data, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				if n := set.Position(f.End()).Line - set.Position(f.Pos()).Line; n > lines {
					t.Errorf("%s: %s is %d lines long, want at most %d", set.Position(f.Pos()), f.Name.Name, n, lines)
				}
			}
		}
	})
}
