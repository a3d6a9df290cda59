package boot

import (
	"slices"
	"strings"

	"bootpath/sim/fsys"
	"bootpath/sim/fsys/ext4"
)

// fsck is fsck(8) for one device that is not mounted: it runs fsck.TYPE, which a start asks to repair
// without questions.
func (in *shProcess) fsck(words []string) ctl {
	var device string
	for i, w := range words[1:] {
		if w == "--" {
			break
		}
		if !strings.HasPrefix(w, "-") && words[i] != "-t" {
			device = w
		}
	}
	b, ok := in.blockDevice(device)
	if device == "" || !ok || strings.Contains(strings.Join(words, " "), " -f") {
		return in.end("unknown.fsck", "program", "fsck")
	}
	kind := b.tag("TYPE")
	if _, ok := in.find("fsck."+kind, true); !ok {
		// fsck.c of util-linux, execute(): 2 is ENOENT, and the exit status is FSCK_EX_ERROR
		in.err("fsck: fsck.%s: not found\nfsck: error 2 while executing fsck.%[1]s for /dev/%s\n", kind, b.name)
		in.status = 8
		return ctlNone
	}
	if slices.Contains(words, "-V") {
		in.verbose(words, kind, "/dev/"+b.name)
	}
	switch f := fsys.Original(b.volumeFS()).(type) {
	case *ext4.FS:
		return in.e2fsck(f, "/dev/"+b.name)
	default:
		if kind == "btrfs" || kind == "xfs" { // fsck.btrfs(8), fsck.xfs(8): they do nothing, successfully
			return in.ok()
		}
	}
	return in.end("unknown.fsck", "program", "fsck."+kind+" "+device)
}

// logsave is logsave(8): a program whose output goes to a file too; the options have no values.
func (in *shProcess) logsave(words []string) ctl {
	at := 1
	for at < len(words) && strings.HasPrefix(words[at], "-") {
		at++
	}
	if at+2 > len(words) {
		return in.failed()
	}
	return in.program(words[at+1:])
}

// verbose is what fsck -V says first: its version, and the program that it runs. disk-utils/fsck.c, main and execute
func (in *shProcess) verbose(words []string, kind, device string) {
	found, _ := in.find(words[0], true)
	if version, _ := in.x.textIn(found, "util-linux "); version != "" {
		in.out("fsck from %s\n", version)
	}
	checker, _ := in.find("fsck."+kind, true)
	options := ""
	for _, w := range words[1:] {
		if strings.HasPrefix(w, "-") && w != "-V" && w != "-t" && w != "-T" && w != "-M" && w != "--" && w != "-C" {
			options += w + " "
		}
	}
	if slices.Contains(words, "-C") && strings.HasPrefix(kind, "ext") { // only these show a progress bar
		options += "-C0 "
	}
	in.out("[%s (1) -- %s] fsck.%s %s%s \n", checker, device, kind, options, device)
}

// e2fsckProgram is e2fsck(8) by its own name, when it is asked to repair without questions: -a or -p.
func (in *shProcess) e2fsckProgram(words []string) ctl {
	flags, _, rest := optArgs(words, "bBCEjlLz")
	if len(rest) == 1 && strings.ContainsAny(flags, "ap") && strings.Trim(flags, "apTM") == "" {
		if b, ok := in.blockDevice(rest[0]); ok {
			if f, ok := fsys.Original(b.volumeFS()).(*ext4.FS); ok {
				return in.e2fsck(f, "/dev/"+b.name)
			}
		}
	}
	return in.end("unknown.fsck", "program", "e2fsck")
}

// e2fsck is e2fsck(8) -p on a volume that needs no check: it says so and how full the volume is. When one is
// due, what it finds is not known. e2fsck/unix.c, check_if_skip
func (in *shProcess) e2fsck(f *ext4.FS, device string) ctl {
	sb, _ := f.Superblock()
	mounts, most := int16(sb.S_mnt_count), int16(sb.S_max_mnt_count)
	_, replay := f.Journal()
	if sb.S_state&1 == 0 || sb.S_state&2 != 0 || replay || sb.S_checkinterval != 0 || most > 0 && mounts >= most {
		return in.end("unknown.fsck-due", "device", device)
	}
	name := f.Info().Label // the volume's name, when it has one
	if name == "" {
		name = device
	}
	blocks, free := uint64(sb.S_blocks_count_lo), uint64(sb.S_free_blocks_count_lo)
	if sb.S_feature_incompat&incompat64bit != 0 {
		blocks, free = blocks|uint64(sb.S_blocks_count_hi)<<32, free|uint64(sb.S_free_blocks_count_hi)<<32
	}
	in.out("%s: clean, %d/%d files, %d/%d blocks\n", name, sb.S_inodes_count-sb.S_free_inodes_count, sb.S_inodes_count, blocks-free, blocks)
	return in.ok()
}

const incompat64bit = 0x80 // EXT4_FEATURE_INCOMPAT_64BIT
