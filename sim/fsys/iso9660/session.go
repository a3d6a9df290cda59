package iso9660

import (
	"encoding/binary"
	"fmt"

	"bootpath/sim/decode"
)

// Bounds and places of sessions.
const (
	sessionsMax   = 99 // tracks of a CD
	appendedAlign = 16 // blocks: growisofs and genisoimage -C begin sessions at such multiples
	emulatedStart = 32 // block: xorriso keeps the first session of a file there, and at 16 a copy of the last descriptor
)

// noteSessions names what other sessions the medium holds. Linux asks the drive for the last one; of a file
// there is only what block 16 describes (fs/isofs/inode.c, isofs_get_last_session).
func (f *FS) noteSessions() {
	if n := f.countSessions(0, appendedAlign); n > 1 {
		f.note("ISO 9660: %d sessions, shown is the first; a drive that knows of sessions shows the last", n)
	} else if n := f.countSessions(emulatedStart, emulatedStart); n > 1 {
		f.note("ISO 9660: %d sessions, block 16 describes the last", n)
	}
}

func (f *FS) note(format string, args ...any) {
	f.info.Notes = append(f.info.Notes, fmt.Sprintf(format, args...))
}

// countSessions follows the sessions from a block on: each begins behind the one before, at a multiple of align.
func (f *FS) countSessions(start, align int64) (n int) {
	for n < sessionsMax {
		var vd VolumeDescriptor
		if _, err := decode.Read(f.r, (start+firstSector)*sectorSize, binary.LittleEndian, "ISO 9660 session", &vd); err != nil {
			return n
		}
		if vd.Type != 1 || string(vd.Identifier[:]) != "CD001" || vd.SpaceSize == 0 {
			return n
		}
		n++
		// The size is that of the session, or counts from block 0.
		end := int64(vd.SpaceSize)
		if end <= start || align == emulatedStart {
			end += start
		}
		start = (end + align - 1) / align * align
	}
	return n
}
