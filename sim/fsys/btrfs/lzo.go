package btrfs

import (
	"encoding/binary"
	"errors"
)

var errLZO = errors.New("a damaged stream")

// unpackLZO unpacks an extent: its length, then segments, each with its own length and none of which's
// length crosses a sector; each unpacks to a sector at most. The head of Linux's fs/btrfs/lzo.c.
func unpackLZO(out, src []byte, sector int) error {
	const head = 4
	if len(src) < head {
		return errLZO
	}
	total := int(binary.LittleEndian.Uint32(src))
	if total < head || total > len(src) {
		return errLZO
	}
	for at, done := head, 0; at < total && done < len(out); {
		if left := sector - at%sector; left < head {
			at += left
		}
		if at+head > total {
			return errLZO
		}
		n := int(binary.LittleEndian.Uint32(src[at:]))
		at += head
		if n > total-at {
			return errLZO
		}
		m, err := lzo1x(out[done:min(len(out), done+sector)], src[at:at+n])
		if err != nil {
			return err
		}
		at, done = at+n, done+m
	}
	return nil
}

// lzo1x unpacks one LZO1X stream; Documentation/staging/lzo.rst of Linux describes the instructions.
func lzo1x(out, src []byte) (int, error) {
	d := lzoStream{out: out, src: src}
	if len(src) > 0 && src[0] > 17 {
		d.at = 1
		n := int(src[0]) - 17
		d.literals(n)
		d.state = min(n, 4)
	}
	for d.bad == nil {
		if d.step() {
			return d.done, d.bad
		}
	}
	return d.done, d.bad
}

// lzoStream is the state of unpacking: how many literals the last instruction copied, 4 for "many".
type lzoStream struct {
	out, src []byte
	at, done int
	state    int
	bad      error
}

func (d *lzoStream) byte() int {
	if d.at >= len(d.src) {
		d.bad = errLZO
		return 0
	}
	d.at++
	return int(d.src[d.at-1])
}

// length continues a length that did not fit its bits: zero bytes count 255 each.
func (d *lzoStream) length(n, mask int) int {
	if n &= mask; n != 0 {
		return n
	}
	n = mask
	for {
		b := d.byte()
		if b != 0 || d.bad != nil {
			return n + b
		}
		n += 255
	}
}

func (d *lzoStream) literals(n int) {
	if n > len(d.src)-d.at || n > len(d.out)-d.done {
		d.bad = errLZO
		return
	}
	copy(d.out[d.done:], d.src[d.at:d.at+n])
	d.at, d.done = d.at+n, d.done+n
}

// match copies n bytes from dist back, which may overlap, and the literals behind them.
func (d *lzoStream) match(n, dist, literals int) {
	if dist > d.done || n > len(d.out)-d.done {
		d.bad = errLZO
		return
	}
	for range n {
		d.out[d.done] = d.out[d.done-dist]
		d.done++
	}
	d.literals(literals)
	d.state = literals
}

// step follows one instruction and tells whether it was the last one.
func (d *lzoStream) step() (end bool) {
	switch op := d.byte(); {
	case op < 16 && d.state == 0:
		d.literals(d.length(op, 15) + 3)
		d.state = 4
	case op < 16 && d.state == 4:
		d.match(3, 2049+op>>2+d.byte()<<2, op&3)
	case op < 16:
		d.match(2, 1+op>>2+d.byte()<<2, op&3)
	case op < 32:
		n := d.length(op, 7) + 2
		low := d.byte()
		dist := op&8<<11 + d.byte()<<6 + low>>2
		if dist == 0 {
			return true
		}
		d.match(n, dist+1<<14, low&3)
	case op < 64:
		n := d.length(op, 31) + 2
		low := d.byte()
		d.match(n, 1+low>>2+d.byte()<<6, low&3)
	case op < 128:
		d.match(3+op>>5&1, 1+op>>2&7+d.byte()<<3, op&3)
	default:
		d.match(5+op>>5&3, 1+op>>2&7+d.byte()<<3, op&3)
	}
	return false
}
