// Command manylayers writes a docker save archive with a given number of layers and files, to see how cost
// grows: every tenth file of a layer replaces one of the layer below, every hundredth is a whiteout.
//
//	go run ./tests/bench/manylayers LAYERS FILES > image.tar
package main

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: manylayers LAYERS FILES > image.tar")
		os.Exit(2)
	}
	layers, err1 := strconv.Atoi(os.Args[1])
	files, err2 := strconv.Atoi(os.Args[2])
	if err1 != nil || err2 != nil || layers < 1 {
		fmt.Fprintln(os.Stderr, "manylayers: two numbers are wanted")
		os.Exit(2)
	}
	out := bufio.NewWriter(os.Stdout)
	err := write(out, layers, files)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "manylayers:", err)
		os.Exit(1)
	}
}

func write(w io.Writer, layers, files int) error {
	t := tar.NewWriter(w)
	var ids, names []string
	for i := range layers {
		size := &counter{}
		sum := sha256.New()
		if err := layer(io.MultiWriter(size, sum), i, files/layers); err != nil {
			return err
		}
		name := fmt.Sprintf("%d/layer.tar", i)
		ids, names = append(ids, fmt.Sprintf("sha256:%x", sum.Sum(nil))), append(names, name)
		if err := t.WriteHeader(&tar.Header{Name: name, Size: size.n, Mode: 0o644}); err != nil {
			return err
		}
		if err := layer(t, i, files/layers); err != nil {
			return err
		}
	}
	config := map[string]any{
		"architecture": "amd64", "os": "linux", "config": map[string]any{"Cmd": []string{"/usr/f0/d0/file-0-0"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": ids},
	}
	manifest := []map[string]any{{"Config": "config.json", "RepoTags": []string{"many:1"}, "Layers": names}}
	for name, v := range map[string]any{"config.json": config, "manifest.json": manifest} {
		data, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if err := t.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o644}); err != nil {
			return err
		}
		if _, err := t.Write(data); err != nil {
			return err
		}
	}
	return t.Close()
}

// counter is how long a layer is.
type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// layer writes the tar of one layer.
func layer(w io.Writer, i, files int) error {
	t := tar.NewWriter(w)
	for f := range files {
		from, base := i, fmt.Sprintf("file-%d-%d", i, f)
		if i > 0 && f%10 == 5 { // what the layer below brought
			from, base = i-1, fmt.Sprintf("file-%d-%d", i-1, f-5)
		}
		dir := fmt.Sprintf("usr/f%d/d%d", from%10, f/100)
		if i > 0 && f%100 == 5 {
			base = ".wh." + base
		}
		body := "x"
		if strings.HasPrefix(base, ".wh.") {
			body = ""
		}
		if err := t.WriteHeader(&tar.Header{Name: dir + "/" + base, Size: int64(len(body)), Mode: 0o755}); err != nil {
			return err
		}
		if _, err := io.WriteString(t, body); err != nil {
			return err
		}
	}
	return t.Close()
}
