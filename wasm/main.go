//go:build js && wasm

// The engine in a Web Worker. It installs one function,
//
//	bootpathRequest(json, payload, reply)
//
// json is a wire.Request; payload is the files ({name, file}) or the bytes that belong to it; reply(json, bytes)
// is called with any number of progress reports and then one answer. This is the only package that knows
// the browser: FileReaderSync and synchronous range requests are its io.ReaderAt, IndexedDB its shelf.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall/js"
	"time"

	"bootpath/content/scenarios"
	"bootpath/sim/blob"
	"bootpath/sim/exercise"
	"bootpath/sim/scenario"
	"bootpath/sim/trace"
	"bootpath/sim/wire"
)

// memoryPercent makes the collector run early: memory that wasm has grown to is never given back.
const memoryPercent = 40

// idle is how long after an answer the collector runs: while somebody reads, and not in the middle of the next run.
const idle = 250 * time.Millisecond

// progressEvery is how often long work says how far it is.
const progressEvery = 100 * time.Millisecond

func main() {
	debug.SetGCPercent(memoryPercent)
	e := &engine{rest: time.AfterFunc(idle, runtime.GC)}
	js.Global().Set("bootpathRequest", js.FuncOf(func(_ js.Value, args []js.Value) any {
		text, payload, reply := args[0].String(), args[1], args[2]
		go e.handle(text, payload, reply)
		return nil
	}))
	select {}
}

// engine holds the opened image between requests.
type engine struct {
	session *wire.Session
	other   *wire.Session // the right side of the latest comparison
	key     string        // of the image in the library
	kept    bool          // the library has its slice already
	rest    *time.Timer   // runs the collector
}

func (e *engine) handle(text string, payload, reply js.Value) {
	e.rest.Stop()
	defer e.rest.Reset(idle)
	var req wire.Request
	var resp wire.Response
	var out []byte
	send := func(r wire.Response, b []byte) {
		r.ID = req.ID
		s, err := json.Marshal(r)
		if err != nil {
			s = []byte(fmt.Sprintf(`{"id":%d,"failure":{"code":"internal","message":%q}}`, req.ID, err.Error()))
		}
		arg := js.Undefined()
		if b != nil {
			arg = toJS(b)
		}
		reply.Invoke(string(s), arg)
	}
	err := json.Unmarshal([]byte(text), &req)
	if err == nil {
		next := time.Now().Add(progressEvery)
		progress := func(read int64) {
			if now := time.Now(); now.After(next) {
				next = now.Add(progressEvery)
				send(wire.Response{Progress: &wire.ProgressReport{Stage: req.Method, BytesRead: read}}, nil)
			}
		}
		out, err = e.answer(req, payload, progress, &resp)
	}
	if err != nil {
		resp, out = wire.Response{Failure: wire.FailureOf(err)}, nil
	}
	send(resp, out)
	if req.Method == "run" && err == nil && errors.Is(e.keep(), errFull) {
		send(wire.Response{Unkept: e.session.Inspect().Name}, nil)
	}
}

// answer does the request and returns the bytes that go beside the response.
func (e *engine) answer(req wire.Request, payload js.Value, progress func(int64), resp *wire.Response) ([]byte, error) {
	switch req.Method {
	case "open":
		if err := e.open(req.Name, payload, progress); err != nil {
			return nil, err
		}
		resp.Inspection = e.session.Inspect()
		return nil, nil
	case "library":
		var err error
		resp.Library, err = libraryEntries()
		return nil, err
	case "recognise":
		var err error
		resp.Candidates, err = recognise(req.Text)
		return nil, err
	case "forget":
		return nil, libraryForget(req.Name)
	}
	if e.session == nil {
		return nil, fmt.Errorf("%s: no image is open", req.Method)
	}
	switch req.Method {
	case "run":
		var settings scenario.RunSettings
		if req.Settings != nil {
			settings = *req.Settings
		}
		res, err := e.session.Run(settings)
		resp.Run = res
		return nil, err
	case "compare":
		var err error
		resp.Comparison, err = e.compare(req, payload, progress)
		return nil, err
	case "predict":
		var err error
		resp.Kinds, err = e.predict(int(req.Off))
		return nil, err
	case "exercise":
		var usual scenario.RunSettings
		if req.Settings != nil {
			usual = *req.Settings
		}
		ex, err := e.session.Exercise(usual, req.Seed)
		resp.Exercise = ex
		return nil, err
	case "bytes":
		session := e.session
		if req.Side == "right" && e.other != nil {
			session = e.other
		}
		chunk, b, err := session.Bytes(req.Name, req.Off, req.Len)
		resp.Chunk = chunk
		return b, err
	case "parse-command":
		var err error
		resp.Command, err = e.session.ParseCommand(req.Command)
		return nil, err
	case "tree", "changes", "file":
		return e.look(req, resp)
	case "slice":
		var b bytes.Buffer
		err := e.session.Slice(&b, e.origin())
		return b.Bytes(), err
	}
	return nil, fmt.Errorf("method %q is not known", req.Method)
}

// look answers what is asked about the files of the open image.
func (e *engine) look(req wire.Request, resp *wire.Response) (b []byte, err error) {
	switch req.Method {
	case "tree":
		resp.Tree, err = e.session.Tree(req.Image, req.Name, req.Off, req.Len)
	case "changes":
		resp.Changes, err = e.session.Changes(req.Image, req.Layer, req.Name, req.Off, req.Len)
	case "file":
		resp.Chunk, b, err = e.session.File(req.Image, req.Layer, req.Name, req.Off, req.Len)
	}
	return b, err
}

func (e *engine) origin() blob.Origin {
	return blob.Origin{Tool: "bootpath in a browser", Date: time.Now().UTC().Format(time.DateOnly)}
}

// open opens what the payload is, or what name is the address of.
func (e *engine) open(name string, payload js.Value, progress func(int64)) error {
	session, key, err := openSession(name, payload, progress)
	if err != nil {
		return err
	}
	e.session, e.key, e.kept = session, key, false
	return nil
}

// compare starts the opened image and another one, or the opened one again when no other is given.
func (e *engine) compare(req wire.Request, payload js.Value, progress func(int64)) (*wire.Comparison, error) {
	var left, right scenario.RunSettings
	if req.Settings != nil {
		left = *req.Settings
	}
	if req.Other != nil {
		right = *req.Other
	}
	e.other = e.session
	if req.Name != "" || !payload.IsUndefined() && !payload.IsNull() {
		session, _, err := openSession(req.Name, payload, progress)
		if err != nil {
			return nil, err
		}
		e.other = session
	}
	return e.session.Compare(left, e.other, right)
}

// predict gives kinds that might come at step n of the latest run.
func (e *engine) predict(n int) ([]trace.Kind, error) {
	var follows []exercise.Follow
	data, err := scenarios.Files.ReadFile("follows.json")
	if err == nil {
		err = json.Unmarshal(data, &follows)
	}
	return e.session.Predict(follows, n), err
}

// recognise finds the scenarios and steps that could have printed a message.
func recognise(text string) ([]scenario.Candidate, error) {
	gallery, err := scenario.Gallery(scenarios.Files)
	if err != nil {
		return nil, err
	}
	printed, err := scenario.ReadPrinted(scenarios.Files)
	return scenario.Recognise(gallery, printed, text), err
}

// openSession opens what the payload is, or what name is the address of, and tells its key in the library.
func openSession(name string, payload js.Value, progress func(int64)) (*wire.Session, string, error) {
	files, err := inputFiles(name, payload, progress)
	if err != nil {
		return nil, "", err
	}
	session, err := wire.OpenFiles(files, wire.Options{Scratch: func() (blob.Scratch, error) { return newScratch(), nil }})
	total := int64(0)
	for _, f := range files {
		total += f.Size
	}
	return session, fmt.Sprintf("%s:%d", files[0].Name, total), err
}

func inputFiles(name string, payload js.Value, progress func(int64)) ([]wire.InputFile, error) {
	blocks := newBlocks(readBlocks, progress)
	input := func(name string, r io.ReaderAt, size int64) []wire.InputFile {
		return []wire.InputFile{{Name: name, R: blocks.of(r, size), Size: size}}
	}
	switch {
	case payload.InstanceOf(js.Global().Get("Array")) && payload.Length() > 0:
		var all []wire.InputFile
		for i := range payload.Length() {
			part := payload.Index(i)
			f := newFile(part.Get("file"))
			all = append(all, input(part.Get("name").String(), f, f.size)...)
		}
		return all, nil
	case payload.InstanceOf(js.Global().Get("Uint8Array")):
		b := fromJS(payload)
		return input(name, bytes.NewReader(b), int64(len(b))), nil
	case strings.HasPrefix(name, libraryPrefix):
		b, err := libraryGet(strings.TrimPrefix(name, libraryPrefix))
		return input(name, bytes.NewReader(b), int64(len(b))), err
	}
	u, err := newRemote(name)
	if err != nil {
		return nil, err
	}
	return input(path.Base(strings.TrimSuffix(name, "/")), u, u.size), nil
}

// keep puts the opened image into the library as a slice; a full or forbidden IndexedDB only means that
// the next visit starts without it.
func (e *engine) keep() error {
	if e.kept {
		return nil
	}
	e.kept = true
	in := e.session.Inspect()
	if in.Origin != nil {
		return nil
	}
	var b bytes.Buffer
	if err := e.session.Slice(&b, e.origin()); err != nil || b.Len() > libraryMax {
		return err
	}
	o := e.origin()
	o.Name, o.Size, o.Read = in.Name, in.Size, in.BytesRead
	err := libraryPut(wire.LibraryEntry{Key: e.key, Origin: o, Kind: in.Kind, Size: int64(b.Len())}, b.Bytes())
	if err != nil {
		js.Global().Get("console").Call("info", "bootpath: the library did not keep "+in.Name+": "+err.Error())
	}
	return err
}

func toJS(b []byte) js.Value {
	a := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(a, b)
	return a
}

func fromJS(v js.Value) []byte {
	b := make([]byte, v.Get("length").Int())
	js.CopyBytesToGo(b, v)
	return b
}
