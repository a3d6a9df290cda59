package elf

import (
	"bytes"
	stdelf "debug/elf"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"bootpath/sim/decode"

	"github.com/stretchr/testify/require"
)

func TestSymbolLayouts(t *testing.T) {
	for v, size := range map[any]int64{
		&Sym64{}: 24, &Sym32{}: 16, &Verneed{}: 16, &Vernaux{}: 16, &Verdef{}: 20, &Verdaux{}: 8, &HashHead{}: 8,
	} {
		require.NoError(t, decode.CheckLayout(v, size))
	}
}

func TestVersionsAndImportsAsTheStandardLibraryReadsThem(t *testing.T) {
	libs, _ := filepath.Glob("/lib/x86_64-linux-gnu/lib[cmt]*.so.*")
	for _, p := range append(programs(t), libs...) {
		data, err := os.ReadFile(p)
		require.NoError(t, err)
		want, err := stdelf.NewFile(bytes.NewReader(data))
		require.NoError(t, err, p)
		f, err := Read(bytes.NewReader(data))
		require.NoError(t, err, p)
		segs, err := f.Segments()
		require.NoError(t, err)
		d, err := f.Dynamic(segs)
		require.NoError(t, err)
		if d == nil {
			continue
		}
		compareVersions(t, p, want, f, d)
		imported, err := want.ImportedSymbols()
		require.NoError(t, err)
		got, _, err := f.Imports(d)
		require.NoError(t, err, p)
		for _, s := range imported {
			require.True(t, slices.Contains(got, s.Name), "%s imports %s", p, s.Name)
		}
	}
}

func compareVersions(t *testing.T, p string, want *stdelf.File, f *File, d *Dynamic) {
	needs, _ := want.DynamicVersionNeeds() // an error says that there are none
	var wanted []string
	for _, n := range needs {
		for _, v := range n.Needs {
			wanted = append(wanted, n.Name+" "+v.Dep)
		}
	}
	got, err := f.Needs(d)
	require.NoError(t, err, p)
	var have []string
	for _, n := range got {
		have = append(have, n.Library+" "+n.Version.Value)
	}
	require.Equal(t, wanted, have, p)
	defs, _ := want.DynamicVersions()
	names, versioned, err := f.Defines(d)
	require.NoError(t, err, p)
	require.Equal(t, len(defs) > 0, versioned, p)
	for i, n := range names {
		require.Equal(t, defs[i].Name, n.Value, p)
	}
}
