// Package scenarios holds the gallery of prepared what-ifs: one JSON file each, and index.json with the themes
// in their order. The site serves the same files.
package scenarios

import "embed"

//go:embed *.json
var Files embed.FS
