package elf

import (
	"fmt"

	"bootpath/sim/blob"
	"bootpath/sim/decode"
)

// Symbols and their versions, as far as a loader looks at them before the program runs. System V ABI, "Symbol
// Table"; LSB 5.0 Core, "Symbol Versioning".

// Bounds on what is followed.
const (
	maxSymbols  = 1 << 17
	maxVersions = 4096 // records of one table
)

// Sym64 is Elf64_Sym.
type Sym64 struct {
	Name  uint32 `at:"0x00"`
	Info  uint8  `at:"0x04"`
	Other uint8  `at:"0x05"`
	Shndx uint16 `at:"0x06"` // 0: defined elsewhere
	Value uint64 `at:"0x08"`
	Size  uint64 `at:"0x10"`
}

// Sym32 is Elf32_Sym.
type Sym32 struct {
	Name  uint32 `at:"0x00"`
	Value uint32 `at:"0x04"`
	Size  uint32 `at:"0x08"`
	Info  uint8  `at:"0x0c"`
	Other uint8  `at:"0x0d"`
	Shndx uint16 `at:"0x0e"`
}

// Verneed names a library of which versions are needed.
type Verneed struct {
	Version uint16 `at:"0x0"`
	Cnt     uint16 `at:"0x2"`
	File    uint32 `at:"0x4"` // its name in the string table
	Aux     uint32 `at:"0x8"` // bytes from here to the first Vernaux
	Next    uint32 `at:"0xc"` // and to the next Verneed; 0 ends
}

// Vernaux is one needed version.
type Vernaux struct {
	Hash  uint32 `at:"0x0"`
	Flags uint16 `at:"0x4"`
	Other uint16 `at:"0x6"`
	Name  uint32 `at:"0x8"`
	Next  uint32 `at:"0xc"`
}

// Verdef is one version that a library defines.
type Verdef struct {
	Version uint16 `at:"0x00"`
	Flags   uint16 `at:"0x02"`
	Ndx     uint16 `at:"0x04"`
	Cnt     uint16 `at:"0x06"`
	Hash    uint32 `at:"0x08"`
	Aux     uint32 `at:"0x0c"`
	Next    uint32 `at:"0x10"`
}

// Verdaux is its name.
type Verdaux struct {
	Name uint32 `at:"0x0"`
	Next uint32 `at:"0x4"`
}

// verWeak is VER_FLG_WEAK: the program can do without.
const verWeak = 2

// Need is a version of a library that a program or library was linked with.
type Need struct {
	Library string // as DT_NEEDED has it
	Version String
	Weak    bool
}

func (t *tables) set(segs []Segment, tag, val uint64) {
	into := map[uint64]*uint64{dtSymtab: &t.symbols, dtHash: &t.hash, dtVerneed: &t.verneed, dtVerdef: &t.verdef}[tag]
	switch {
	case tag == dtVerneeds:
		t.verneeds = val
	case tag == dtVerdefNum:
		t.verdefs = val
	case into != nil:
		*into, _ = fileOffset(segs, val)
	}
}

// Needs lists the versions that d needs, in order.
func (f *File) Needs(d *Dynamic) ([]Need, error) {
	var out []Need
	at := d.tables.verneed
	for range min(d.tables.verneeds, maxVersions) {
		var n Verneed
		if _, err := f.record(at, "Elf_Verneed", &n); err != nil {
			return nil, err
		}
		lib, err := f.str(d.tables.strings, uint64(n.File))
		if err != nil {
			return nil, err
		}
		aux := at + uint64(n.Aux)
		for range n.Cnt {
			var a Vernaux
			if _, err := f.record(aux, "Elf_Vernaux", &a); err != nil {
				return nil, err
			}
			name, err := f.str(d.tables.strings, uint64(a.Name))
			if err != nil {
				return nil, err
			}
			out = append(out, Need{lib.Value, named(name, "vna_name"), a.Flags&verWeak != 0})
			if a.Next == 0 || len(out) >= maxVersions {
				break
			}
			aux += uint64(a.Next)
		}
		if n.Next == 0 || len(out) >= maxVersions {
			break
		}
		at += uint64(n.Next)
	}
	return out, nil
}

// Defines lists the versions that d defines, without the name of the library itself; versioned tells whether
// it defines any.
func (f *File) Defines(d *Dynamic) (names []String, versioned bool, err error) {
	at := d.tables.verdef
	for range min(d.tables.verdefs, maxVersions) {
		var v Verdef
		if _, err := f.record(at, "Elf_Verdef", &v); err != nil {
			return nil, false, err
		}
		var a Verdaux
		if _, err := f.record(at+uint64(v.Aux), "Elf_Verdaux", &a); err != nil {
			return nil, false, err
		}
		name, err := f.str(d.tables.strings, uint64(a.Name))
		if err != nil {
			return nil, false, err
		}
		names = append(names, named(name, "vda_name"))
		if v.Next == 0 {
			break
		}
		at += uint64(v.Next)
	}
	return names, len(names) > 0, nil
}

// HashHead is the start of a DT_HASH table.
type HashHead struct {
	Buckets uint32 `at:"0x0"`
	Chains  uint32 `at:"0x4"` // as many as there are symbols
}

// symbolsEnd bounds the symbol table: the dynamic section does not say how long it is. DT_HASH does; without
// one the strings that follow are taken for the end, so that no symbol is missed.
func (f *File) symbolsEnd(t tables, size uint64) (uint64, error) {
	end := t.strings
	if t.hash != 0 {
		var h HashHead
		if _, err := f.record(t.hash, "ELF hash table", &h); err != nil {
			return 0, err
		}
		end = t.symbols + uint64(h.Chains)*size
	}
	if t.symbols == 0 || end <= t.symbols || (end-t.symbols)/size > maxSymbols {
		return 0, &decode.Error{What: "ELF: DT_SYMTAB", Off: int64(t.symbols), Want: "a table whose end is known", Got: fmt.Sprintf("%#x to %#x", t.symbols, end)}
	}
	return end, nil
}

// Imports lists the symbols that d takes from libraries, with the table's bytes. Names may be among them that
// are none (see symbolsEnd), but none is missing; an error says that the table cannot be bounded.
func (f *File) Imports(d *Dynamic) ([]string, []blob.Cite, error) {
	t := d.tables
	size := uint64(decode.Size(&Sym64{}))
	if !f.is64 {
		size = uint64(decode.Size(&Sym32{}))
	}
	end, err := f.symbolsEnd(t, size)
	if err != nil {
		return nil, nil, err
	}
	var out []string
	for at := t.symbols + size; at+size <= end; at += size { // the first is empty
		name, shndx, err := f.symbol(at)
		if err != nil {
			return nil, nil, err
		}
		if shndx != 0 || name == 0 {
			continue
		}
		if s, err := f.str(t.strings, uint64(name)); err == nil {
			out = append(out, s.Value)
		}
	}
	return out, cite(f.r, int64(t.symbols), int64(end-t.symbols), "dynamic symbols", fmt.Sprintf("%d imported", len(out))), nil
}

func (f *File) symbol(at uint64) (name uint32, shndx uint16, err error) {
	if f.is64 {
		var s Sym64
		_, err := f.record(at, "Elf64_Sym", &s)
		return s.Name, s.Shndx, err
	}
	var s Sym32
	_, err = f.record(at, "Elf32_Sym", &s)
	return s.Name, s.Shndx, err
}

func (f *File) record(at uint64, what string, into any) (*decode.Record, error) {
	if at == 0 || at > 1<<62 {
		return nil, &decode.Error{What: what, Want: "an address inside a PT_LOAD segment", Got: fmt.Sprintf("%#x", at)}
	}
	return decode.Read(f.r, int64(at), f.order, what, into)
}
