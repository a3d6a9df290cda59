//go:build js && wasm

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall/js"

	"github.com/hack-pad/go-indexeddb/idb"

	"bootpath/sim/wire"
)

// The library keeps opened images as slices in IndexedDB, so that the next visit opens them without their
// files. Entries and bytes lie in two stores: the list is shown without reading the bytes. The database is also
// the page's, for what a learner has done; site/assets/ts/database.ts describes it and opens the same version.
const (
	libraryName    = "bootpath"
	libraryVersion = 2
	entryStore     = "entries"
	sliceStore     = "slices"
	progressStore  = "progress"
	libraryPrefix  = "library:"
	libraryMax     = 8 << 20 // bytes of one slice
)

// errFull: the browser gives this site no more room.
var errFull error = idb.NewDOMException("QuotaExceededError")

func openLibrary(ctx context.Context) (*idb.Database, error) {
	req, err := idb.Global().Open(ctx, libraryName, libraryVersion, func(db *idb.Database, old, new uint) error {
		there, err := db.ObjectStoreNames()
		if err != nil {
			return err
		}
		for _, name := range []string{entryStore, sliceStore, progressStore} {
			if slices.Contains(there, name) {
				continue
			}
			if _, err := db.CreateObjectStore(name, idb.ObjectStoreOptions{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return req.Await(ctx)
}

// withStores runs fn in one transaction and waits until it is complete.
func withStores(mode idb.TransactionMode, fn func(ctx context.Context, entries, slices *idb.ObjectStore) error) error {
	ctx := context.Background()
	db, err := openLibrary(ctx)
	if err != nil {
		return fmt.Errorf("library: %w", err)
	}
	defer db.Close()
	txn, err := db.Transaction(mode, entryStore, sliceStore)
	if err != nil {
		return fmt.Errorf("library: %w", err)
	}
	entries, err := txn.ObjectStore(entryStore)
	if err != nil {
		return err
	}
	kept, err := txn.ObjectStore(sliceStore)
	if err != nil {
		return err
	}
	if err := fn(ctx, entries, kept); err != nil {
		return fmt.Errorf("library: %w", err)
	}
	return txn.Await(ctx)
}

func libraryPut(e wire.LibraryEntry, b []byte) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return withStores(idb.TransactionReadWrite, func(_ context.Context, entries, kept *idb.ObjectStore) error {
		if _, err := entries.PutKey(js.ValueOf(e.Key), js.ValueOf(string(text))); err != nil {
			return err
		}
		_, err := kept.PutKey(js.ValueOf(e.Key), toJS(b))
		return err
	})
}

func libraryGet(key string) (b []byte, err error) {
	err = withStores(idb.TransactionReadOnly, func(ctx context.Context, _, kept *idb.ObjectStore) error {
		req, err := kept.Get(js.ValueOf(key))
		if err != nil {
			return err
		}
		v, err := req.Await(ctx)
		if err != nil {
			return err
		}
		if v.IsUndefined() { // IndexedDB answers a missing key with undefined, not with an error
			return fmt.Errorf("nothing is kept as %q", key)
		}
		b = fromJS(v)
		return nil
	})
	return b, err
}

func libraryForget(key string) error {
	return withStores(idb.TransactionReadWrite, func(_ context.Context, entries, kept *idb.ObjectStore) error {
		if _, err := entries.Delete(js.ValueOf(key)); err != nil {
			return err
		}
		_, err := kept.Delete(js.ValueOf(key))
		return err
	})
}

func libraryEntries() ([]wire.LibraryEntry, error) {
	out := []wire.LibraryEntry{}
	err := withStores(idb.TransactionReadOnly, func(ctx context.Context, entries, _ *idb.ObjectStore) error {
		cursor, err := entries.OpenCursor(idb.CursorNext)
		if err != nil {
			return err
		}
		return cursor.Iter(ctx, func(c *idb.CursorWithValue) error {
			v, err := c.Value()
			if err != nil {
				return err
			}
			var e wire.LibraryEntry
			if json.Unmarshal([]byte(v.String()), &e) == nil {
				out = append(out, e)
			}
			return nil
		})
	})
	slices.SortFunc(out, func(a, b wire.LibraryEntry) int { return strings.Compare(a.Key, b.Key) })
	return out, err
}
