package btrfs

import (
	"fmt"
	"strings"

	"bootpath/sim/fsys"
)

// MountError is why Linux refuses to mount a volume with some options.
type MountError struct {
	Lines []string // what the driver prints, after "BTRFS error (device …): "
	Err   error    // [fs.ErrInvalid], [fs.ErrNotExist] or [fsys.ErrMissingDevice]
}

func (e *MountError) Error() string {
	return fmt.Sprintf("btrfs: %s: %s", strings.Join(e.Lines, "; "), e.Err)
}

func (e *MountError) Unwrap() error { return e.Err }

// complete tells whether the volume can be mounted from this device alone. Without "degraded" the kernel
// stops at the first device that it misses: those of the system chunks come first, then the items of
// devices (fs/btrfs/volumes.c, read_one_chunk and read_one_dev; disk-io.c, open_ctree).
func (v *volume) complete(options string) error {
	for o := range strings.SplitSeq(options, ",") {
		if o == "degraded" {
			return nil
		}
	}
	const noEntry = -2
	for _, c := range v.system {
		if len(c.missing) > 0 {
			return missing(c.missing[0], fmt.Sprintf("failed to read the system array: %d", noEntry))
		}
	}
	var absent *device
	t := tree{v.sb.Chunk_root, v.sb.Chunk_root_level}
	err := v.each(t, Key{BTRFS_DEV_ITEMS_OBJECTID, BTRFS_DEV_ITEM_KEY, 0}, func(it item) (bool, error) {
		var d DevItem
		if _, err := it.read(0, "btrfs device", &d); err != nil {
			return false, err
		}
		if d.Devid != v.sb.Dev_item.Devid {
			absent = &device{d.Devid, d.Uuid}
		}
		return absent == nil, nil
	})
	if err != nil || absent == nil {
		return err
	}
	return missing(*absent, fmt.Sprintf("failed to read chunk tree: %d", noEntry))
}

func missing(d device, where string) error {
	return &MountError{Err: fsys.ErrMissingDevice,
		Lines: []string{fmt.Sprintf("devid %d uuid %s is missing", d.id, uuid(d.uuid)), where, "open_ctree failed"}}
}

// device is a device that a chunk or an item names.
type device struct {
	id   uint64
	uuid [16]byte
}

func uuid(u [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
