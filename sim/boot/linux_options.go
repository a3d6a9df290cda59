package boot

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The options of ext4 by the kind of their value: fs/ext4/super.c, ext4_param_specs. Some names have two kinds.
const (
	extFlags = "bsddf minixdf grpid bsdgroups nogrpid sysvgroups nouid32 debug oldalloc orlov user_xattr nouser_xattr acl noacl norecovery noload bh nobh " +
		"journal_checksum nojournal_checksum journal_async_commit abort usrjquota grpjquota usrquota grpquota quota noquota prjquota barrier nobarrier " +
		"i_version dax delalloc nodelalloc warn_on_error nowarn_on_error mblk_io_submit nomblk_io_submit block_validity noblock_validity auto_da_alloc " +
		"noauto_da_alloc dioread_nolock nodioread_nolock dioread_lock discard nodiscard init_itable noinit_itable fc_debug_force test_dummy_encryption " +
		"inlinecrypt nombcache no_mbcache prefetch_block_bitmaps no_prefetch_block_bitmaps nocheck reservation noreservation"
	extNumbers = "resgid resuid sb commit min_batch_time max_batch_time journal_dev barrier stripe debug_want_extra_isize inode_readahead_blks " +
		"journal_ioprio auto_da_alloc init_itable fc_debug_max_replay max_dir_size_kb mb_optimize_scan journal"
	extStrings = "journal_path usrjquota grpjquota test_dummy_encryption check"

	// What the virtual file system, a security module or mount(8) takes for itself.
	anyOptions = "sync async dirsync lazytime nolazytime mand nomand ro rw context fscontext defcontext rootcontext seclabel defaults auto noauto user nouser " +
		"users owner group comment atime diratime norelatime nostrictatime nofail _netdev silent loud iversion noiversion"
)

// extWords are the options of ext4 that have one of a few words for a value.
func extWords(name string) []string {
	switch name {
	case "errors":
		return []string{"continue", "panic", "remount-ro"}
	case "data":
		return []string{"journal", "ordered", "writeback"}
	case "data_err":
		return []string{"abort", "ignore"}
	case "jqfmt":
		return []string{"vfsold", "vfsv0", "vfsv1"}
	case "dax":
		return []string{"always", "inode", "never"}
	}
	return nil
}

func listed(list, word string) bool { return slices.Contains(strings.Fields(list), word) }

// extRefusal is what ext4 says of the first option that it does not take, "" when it takes all: fs/fs_parser.c, __fs_parse,
// and before 5.17 fs/ext4/super.c, handle_mount_opt.
func (x *linux) extRefusal(dev, options string) string {
	for _, option := range strings.Split(options, ",") {
		name, value, valued := strings.Cut(option, "=")
		if option == "" || listed(anyOptions, name) || strings.HasPrefix(name, "x-") || strings.HasPrefix(name, "X-") {
			continue
		}
		number, text, words := listed(extNumbers, name), listed(extStrings, name), extWords(name)
		why := ""
		switch {
		case !valued && listed(extFlags, name):
			continue
		case !number && !text && words == nil && !listed(extFlags, name):
			why = "Unknown parameter"
		case valued && !number && !text && words == nil:
			why = "Unexpected value for"
		case valued && text:
			continue
		case valued && slices.Contains(words, value):
			continue
		case valued && number:
			if _, err := strconv.ParseUint(value, 0, 32); err == nil || name == "mb_optimize_scan" && value == "-1" {
				continue
			}
			why = "Bad value for"
		default:
			why = "Bad value for"
		}
		if !x.newer(5, 17) {
			return fmt.Sprintf("EXT4-fs (%s): Unrecognized mount option \"%s\" or missing value", dev, option)
		}
		return fmt.Sprintf("ext4: %s '%s'", why, name)
	}
	return ""
}

// refusesOptions tells whether a file system's driver refuses a mount for its options, and prints what it says. Of other
// drivers than ext4's that is not known here.
func (x *linux) refusesOptions(dev blockDevice, fstype, options string) bool {
	if !strings.HasPrefix(fstype, "ext") || options == "" {
		return false
	}
	text := x.extRefusal(dev.name, options)
	if text == "" {
		return false
	}
	args := map[string]string{"device": dev.name, "type": fstype, "options": options, "reason": text}
	x.emit("linux.mount-refused", kernErr, text, args, "fs/fs_parser.c, __fs_parse", nil)
	return true
}
