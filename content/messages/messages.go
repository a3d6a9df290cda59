// Package messages holds the sentences of the page, one file for each area and language. The engine knows none
// of them: what it finds has a kind and values. The command puts reasons into English words.
package messages

import (
	_ "embed"
	"encoding/json"
	"sync"

	"bootpath/sim/trace"
)

//go:embed unknown.en.json
var unknown []byte

// English has the reasons why something cannot be known.
var English = sync.OnceValue(func() (s trace.Sentences) {
	if err := json.Unmarshal(unknown, &s); err != nil {
		panic("content/messages/unknown.en.json: " + err.Error())
	}
	return s
})
