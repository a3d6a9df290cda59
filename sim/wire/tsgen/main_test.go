package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page compiles against these types: a change of the Go structs must reach them.
func TestGeneratedTypesAreCurrent(t *testing.T) {
	want, err := generate("../../..")
	require.NoError(t, err)
	got, err := os.ReadFile("../../../site/assets/ts/wire.gen.ts")
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "stale: run ./build.sh gen")
}

func TestUnion(t *testing.T) {
	for comment, want := range map[string]string{
		"bios | uefi":              `"bios" | "uefi"`,
		"format | unsupported":     `"format" | "unsupported"`,
		"gpt or dos":               "",
		"config.KEY | cmdline":     "",
		"outermost first":          "",
		"as GOARCH":                "",
		"docker | podman; or what": "",
	} {
		require.Equal(t, want, union(comment), comment)
	}
}
