//go:build js && wasm

package main

import (
	"container/list"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall/js"
)

// A call into the browser costs about a millisecond whatever its length (docs/rationale.md), so reads are
// widened to whole blocks and the blocks are kept.
const (
	readBlock     = 256 << 10
	readBlocks    = 64 // of the files: 16 MiB
	scratchBlocks = 8  // of the scratch space: what is read there goes into the store's memory
)

// blocks are the latest blocks of the files of one image.
type blocks struct {
	max      int
	progress func(int64)
	lru      *list.List // of *keptBlock
	fetched  int64
}

func newBlocks(max int, progress func(int64)) *blocks {
	return &blocks{max: max, progress: progress, lru: list.New()}
}

// room is where the next block goes: in place of the oldest when there are enough.
func (b *blocks) room() []byte {
	if b.lru.Len() < b.max {
		return make([]byte, readBlock)
	}
	old := b.lru.Remove(b.lru.Back()).(*keptBlock)
	delete(old.of.blocks, old.index)
	return old.data[:readBlock]
}

// of reads r through the blocks.
func (b *blocks) of(r io.ReaderAt, size int64) *cached {
	return &cached{r: r, size: size, all: b, blocks: map[int64]*list.Element{}}
}

// cached reads r in whole blocks and says how much was fetched.
type cached struct {
	r      io.ReaderAt
	size   int64
	all    *blocks
	blocks map[int64]*list.Element
}

type keptBlock struct {
	of    *cached
	index int64
	data  []byte
}

func (c *cached) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		if off >= c.size {
			return done, io.EOF
		}
		b, err := c.block(off / readBlock)
		if err != nil {
			return done, err
		}
		n := copy(p[done:], b[off%readBlock:])
		done, off = done+n, off+int64(n)
	}
	return done, nil
}

// block returns a block; it may be overwritten by the next call.
func (c *cached) block(i int64) ([]byte, error) {
	if e := c.blocks[i]; e != nil {
		c.all.lru.MoveToFront(e)
		return e.Value.(*keptBlock).data, nil
	}
	data := c.all.room()[:min(readBlock, c.size-i*readBlock)]
	if n, err := c.r.ReadAt(data, i*readBlock); n < len(data) {
		return nil, fmt.Errorf("reading %d bytes at %#x: got %d: %w", len(data), i*readBlock, n, err)
	}
	c.blocks[i] = c.all.lru.PushFront(&keptBlock{c, i, data})
	if c.all.fetched += int64(len(data)); c.all.progress != nil {
		c.all.progress(c.all.fetched)
	}
	return data, nil
}

// file reads a File or Blob of the page; in a worker that may be done synchronously.
type file struct {
	blob   js.Value
	reader js.Value
	size   int64
}

func newFile(blob js.Value) *file {
	return &file{blob, js.Global().Get("FileReaderSync").New(), int64(blob.Get("size").Float())}
}

func (f *file) ReadAt(p []byte, off int64) (n int, err error) {
	defer func() { // the file may have changed or gone since it was dropped
		if r := recover(); r != nil {
			err = fmt.Errorf("the browser cannot read the file any more: %v", r)
		}
	}()
	part := f.blob.Call("slice", float64(off), float64(off+int64(len(p))))
	buf := js.Global().Get("Uint8Array").New(f.reader.Call("readAsArrayBuffer", part))
	n = js.CopyBytesToGo(p, buf)
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// remote reads a URL by range requests, or whole when its server knows none.
type remote struct {
	url   string
	size  int64
	whole []byte
}

// wholeMax is how long a file may be that has to be fetched whole, in bytes.
const wholeMax = 64 << 20

func newRemote(url string) (*remote, error) {
	r := &remote{url: url}
	body, xhr, err := r.get("bytes=0-0")
	if err != nil {
		return nil, err
	}
	if xhr.Get("status").Int() == 206 {
		_, total, ok := strings.Cut(header(xhr, "Content-Range"), "/")
		if size, err := strconv.ParseInt(total, 10, 64); ok && err == nil {
			r.size = size
			return r, nil
		}
	}
	if len(body) > wholeMax {
		return nil, fmt.Errorf("%s: %d bytes from a server without range requests, limit %d", url, len(body), wholeMax)
	}
	r.whole, r.size = body, int64(len(body))
	return r, nil
}

func header(xhr js.Value, name string) string {
	if v := xhr.Call("getResponseHeader", name); v.Type() == js.TypeString {
		return v.String()
	}
	return ""
}

func (r *remote) get(byteRange string) (body []byte, xhr js.Value, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %v", r.url, p)
		}
	}()
	xhr = js.Global().Get("XMLHttpRequest").New()
	xhr.Call("open", "GET", r.url, false)
	xhr.Set("responseType", "arraybuffer")
	if byteRange != "" {
		xhr.Call("setRequestHeader", "Range", byteRange)
	}
	xhr.Call("send")
	if s := xhr.Get("status").Int(); s != 200 && s != 206 {
		return nil, xhr, fmt.Errorf("%s: HTTP status %d", r.url, s)
	}
	return fromJS(js.Global().Get("Uint8Array").New(xhr.Get("response"))), xhr, nil
}

func (r *remote) ReadAt(p []byte, off int64) (int, error) {
	if off >= r.size {
		return 0, io.EOF
	}
	body := r.whole
	if body != nil {
		body = body[off:]
	} else {
		var err error
		if body, _, err = r.get(fmt.Sprintf("bytes=%d-%d", off, min(off+int64(len(p)), r.size)-1)); err != nil {
			return 0, err
		}
	}
	n := copy(p, body)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
