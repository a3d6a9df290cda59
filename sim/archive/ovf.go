package archive

import (
	"fmt"
	"path"
	"strings"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

const ovfMax = 1 << 20 // bytes of a descriptor

// isOVF tells the descriptor of a virtual machine, an XML file, which names its disks.
func isOVF(name string, head []byte) bool {
	text := strings.TrimLeft(strings.TrimPrefix(string(head), "\ufeff"), " \r\n\t")
	return strings.EqualFold(path.Ext(name), ".ovf") && strings.HasPrefix(text, "<")
}

// fromOVF opens the first disk that a descriptor names, which lies beside it.
func fromOVF(store *blob.Store, b *blob.Blob) (*blob.Blob, string, error) {
	text, err := blob.ReadAll(b, ovfMax)
	if err != nil {
		return nil, "", fmt.Errorf("OVF descriptor: %w", err)
	}
	disks := disksOf(text)
	if len(disks) == 0 {
		return nil, "", fmt.Errorf("OVF descriptor that names no disk: %w", decode.ErrUnsupported)
	}
	if disk := store.Sibling(path.Base(disks[0])); disk != nil {
		return disk, "ovf", nil
	}
	return nil, "", fmt.Errorf("OVF descriptor, its disk lies in %q: give both files together: %w", disks[0], decode.ErrUnsupported)
}

// disksOf lists the files of an OVF's disks (DMTF DSP0243, sections 7.1 and 9.1): a Disk refers by fileRef
// to the File of that id. Files that no Disk refers to follow; they are media.
func disksOf(ovf []byte) []string {
	files := map[string]string{}
	var order, disks []string
	for _, tag := range strings.Split(string(ovf), "<") {
		name, attributes := parseTag(tag)
		switch name {
		case "File":
			if href := attributes["href"]; href != "" {
				files[attributes["id"]] = href
				order = append(order, href)
			}
		case "Disk":
			if href := files[attributes["fileRef"]]; href != "" {
				disks = append(disks, href)
			}
		}
	}
	return append(disks, order...)
}

// parseTag gives the name and the attributes of an XML tag, without prefixes of namespaces.
func parseTag(tag string) (string, map[string]string) {
	tag, _, _ = strings.Cut(tag, ">")
	name, rest, _ := strings.Cut(strings.TrimSpace(tag), " ")
	attributes := map[string]string{}
	for {
		key, value, ok := strings.Cut(rest, "=")
		value = strings.TrimSpace(value)
		if !ok || value == "" {
			return local(name), attributes
		}
		quote := value[:1]
		value, rest, _ = strings.Cut(value[1:], quote)
		attributes[local(key)] = value
	}
}

func local(name string) string {
	name = strings.TrimSpace(name)
	return name[strings.LastIndexByte(name, ':')+1:]
}
