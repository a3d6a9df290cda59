package script

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"bootpath/sim/blob"
	"bootpath/sim/decode"

	"github.com/stretchr/testify/require"
)

// What the kernel makes of these is checked against a real one in sim/kernel; here is what is cited.
func TestFirstLine(t *testing.T) {
	long := strings.Repeat("x", 300)
	for name, c := range map[string]struct {
		text string
		want Line
	}{
		"interpreter alone":             {"#!/bin/sh\necho\n", Line{Interp: "/bin/sh"}},
		"blanks around":                 {"#! \t/bin/sh \t\n", Line{Interp: "/bin/sh"}},
		"the rest is one argument":      {"#!/usr/bin/env -S a b\n", Line{Interp: "/usr/bin/env", Arg: "-S a b", HasArg: true}},
		"a carriage return is a letter": {"#!/bin/sh\r\n", Line{Interp: "/bin/sh\r"}},
		"no newline":                    {"#!/bin/sh", Line{Interp: "/bin/sh"}},
		"blank at the end, no newline":  {"#!/bin/sh ", Line{Interp: "/bin/sh", HasArg: true}},
		"a long argument is cut":        {"#!/bin/sh " + long, Line{Interp: "/bin/sh", Arg: long[:BufSize-11], HasArg: true}},
		"relative":                      {"#!sh\n", Line{Interp: "sh"}},
		"nothing but NUL":               {"#!", Line{}},
	} {
		b := blob.New("b", strings.NewReader(c.text), int64(len(c.text)), nil)
		got, err := Read(b)
		require.NoError(t, err, name)
		for _, cite := range got.Cites[1:] {
			require.Equal(t, cite.Value, c.text[cite.Off:cite.Off+cite.Len], name)
		}
		got.Cites = nil
		require.Equal(t, c.want, *got, name)
	}
}

func TestLinesThatNameNothing(t *testing.T) {
	var bad *decode.Error
	for _, text := range []string{"#!\n", "#! \t \n", "#!" + strings.Repeat(" ", 300), "#!/" + strings.Repeat("a", 300) + "\n"} {
		_, err := Read(strings.NewReader(text))
		require.True(t, errors.As(err, &bad), "%q: %v", text, err)
	}
	for _, text := range []string{"", "#", " #!/bin/sh\n", "\xef\xbb\xbf#!/bin/sh\n"} {
		_, err := Read(strings.NewReader(text))
		require.ErrorIs(t, err, decode.ErrFormat, "%q", text)
	}
}

func FuzzScript(f *testing.F) {
	f.Add([]byte("#!/bin/sh -e\n"))
	f.Add([]byte("#!"))
	f.Add([]byte("#! \x00\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := Read(blob.New("b", bytes.NewReader(data), int64(len(data)), nil))
		if err != nil {
			return
		}
		for _, c := range l.Cites {
			if c.Off < 0 || c.Len <= 0 || c.Off+c.Len > int64(len(data)) {
				t.Fatalf("cites %v of %d bytes", c.Span, len(data))
			}
		}
	})
}
