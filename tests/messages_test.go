package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
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
