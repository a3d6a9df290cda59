package tests

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// message is the sentence of a step's kind, in one language.
type message struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

func messages(t *testing.T, lang string) map[string]message {
	all := map[string]message{}
	files, err := filepath.Glob(filepath.Join(root, "content/messages/*."+lang+".json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		data, err := os.ReadFile(f)
		require.NoError(t, err)
		var m map[string]message
		require.NoError(t, json.Unmarshal(data, &m), f)
		area, _, _ := strings.Cut(filepath.Base(f), ".")
		for kind, msg := range m {
			require.True(t, strings.HasPrefix(kind, area+"."), "%s: %s", f, kind)
			all[kind] = msg
		}
	}
	return all
}

var placeholder = regexp.MustCompile(`\{([a-z0-9_]+)\}`)

func placeholders(m message) map[string]bool {
	out := map[string]bool{}
	for _, p := range placeholder.FindAllStringSubmatch(m.Title+m.Text, -1) {
		out[p[1]] = true
	}
	return out
}

func TestEverySentenceExistsInBothLanguages(t *testing.T) {
	en, zh := messages(t, "en"), messages(t, "zh")
	for kind, m := range en {
		z, ok := zh[kind]
		if !ok {
			t.Errorf("%s has no Chinese sentence", kind)
			continue
		}
		require.NotEmpty(t, m.Title, kind)
		require.NotEmpty(t, m.Text, kind)
		require.NotEmpty(t, z.Title, kind)
		require.NotEmpty(t, z.Text, kind)
		require.Equal(t, placeholders(m), placeholders(z), "%s: both languages use the same values", kind)
		require.Regexp(t, `\p{Han}`, z.Title+z.Text, kind)
		require.NotRegexp(t, `\p{Han}[,;:?!]|\p{Han}\.(\s|$)`, z.Text, "%s: Chinese punctuation is full-width", kind)
	}
	for kind := range zh {
		require.Contains(t, en, kind)
	}
}

// A reason is made in one way: by a call with its kind and the names of its values as they are, of trace.Why or of a
// method that passes them on. What the calls say is what both languages must have a sentence for.
func TestEveryReasonHasItsSentences(t *testing.T) {
	en := messages(t, "en")
	used := map[string]bool{}
	sourceFiles(t, []string{"sim", "wasm"}, ".go", func(path string, data []byte) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, data, 0)
		require.NoError(t, err)
		said, explained := map[ast.Node]bool{}, map[ast.Node]bool{}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if for_, ok := n.Fun.(*ast.SelectorExpr); ok && for_.Sel.Name == "For" {
					if inner, ok := for_.X.(*ast.CallExpr); ok {
						explained[inner] = true
					}
				}
				if kind, names, lit := reasonOf(n); lit != nil {
					said[lit], used[kind] = true, true
					if explained[n] {
						names = append(names, "because")
					}
					checkReason(t, set.Position(n.Pos()).String(), kind, names, en)
				}
			case *ast.CompositeLit:
				if x, ok := n.Type.(*ast.SelectorExpr); ok && x.Sel.Name == "Reason" {
					t.Errorf("%s: a reason is made by trace.Why", set.Position(n.Pos()))
				}
			case *ast.BasicLit:
				if strings.HasPrefix(n.Value, `"unknown.`) && !said[n] {
					t.Errorf("%s: %s is not the kind in a call", set.Position(n.Pos()), n.Value)
				}
			}
			return true
		})
	})
	for kind := range en {
		require.False(t, strings.HasPrefix(kind, "unknown.") && !used[kind], "%s: nothing says it", kind)
	}
	require.Greater(t, len(used), 100)
}

// reasonOf finds the kind in a call, and the names of the values that follow it.
func reasonOf(call *ast.CallExpr) (kind string, names []string, lit *ast.BasicLit) {
	for i, arg := range call.Args {
		l, ok := arg.(*ast.BasicLit)
		if !ok || !strings.HasPrefix(l.Value, `"unknown.`) {
			continue
		}
		for j := i + 1; j < len(call.Args); j += 2 {
			name := ""
			if l, ok := call.Args[j].(*ast.BasicLit); ok && j+1 < len(call.Args) {
				name = strings.Trim(l.Value, `"`)
			}
			names = append(names, name)
		}
		if method, ok := call.Fun.(*ast.SelectorExpr); ok && method.Sel.Name == "end" {
			names = append(names, "where") // in a shell script: where it was left
		}
		return strings.Trim(l.Value, `"`), names, l
	}
	return "", nil, nil
}

func checkReason(t *testing.T, at, kind string, names []string, en map[string]message) {
	m, ok := en[kind]
	if !ok {
		t.Errorf("%s: %s has no sentence in content/messages/unknown.en.json", at, kind)
		return
	}
	wants := placeholders(m)
	for _, name := range names {
		if !wants[name] && name != "where" { // the line is with every reason of a shell script
			t.Errorf("%s: %s: the sentence has no {%s}; names and values follow the kind in turn", at, kind, name)
		}
	}
	for name := range wants {
		if !slices.Contains(names, name) {
			t.Errorf("%s: %s: the sentence wants {%s}", at, kind, name)
		}
	}
}
