package boot

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"bootpath/sim/conf/sh"
	"bootpath/sim/trace"
)

// udevRule is a line of a rules file: what must hold, and what then happens. udev(7)
type udevRule struct {
	file  string
	items []udevItem
}

// udevItem is KEY{name} OPERATOR "value".
type udevItem struct{ key, name, op, value string }

var udevItems = regexp.MustCompile(`([A-Z_]+)(?:\{([^}]*)\})?\s*(==|!=|\+=|:=|=)\s*"([^"]*)"`)

// maxRules bounds the rules that are looked at.
const maxRules = 2000

// applyRules has udev run the programs that rules ask for, for each block device: the rules of /etc and /run, which
// scripts of an initramfs write for the device that they wait for. Those that come with udev make links and load
// modules, which is done elsewhere.
func (in *shProcess) applyRules() {
	if !in.x.udevd || in.x.inRules {
		return
	}
	rules := in.udevRules()
	if !slices.ContainsFunc(rules, udevRule.runs) {
		return
	}
	in.x.inRules = true
	defer func() { in.x.inRules = false }()
	for _, b := range in.x.blockDevices() {
		in.applyTo(b, rules)
	}
}

// udevRules reads the files in the order of their names.
func (in *shProcess) udevRules() (out []udevRule) {
	var files []string
	for _, dir := range [...]string{"/etc/udev/rules.d", "/run/udev/rules.d"} {
		for _, name := range in.list(dir) {
			if strings.HasSuffix(name, ".rules") {
				files = append(files, dir+"/"+name)
			}
		}
	}
	slices.SortStableFunc(files, func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) })
	for _, file := range files {
		text, _ := in.readFile(file)
		for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", "")) {
			if strings.HasPrefix(strings.TrimSpace(line), "#") || len(out) == maxRules {
				continue
			}
			r := udevRule{file: file}
			for _, m := range udevItems.FindAllStringSubmatch(line, -1) {
				r.items = append(r.items, udevItem{m[1], m[2], m[3], m[4]})
			}
			out = append(out, r)
		}
	}
	return out
}

// runs tells whether the rule starts a program.
func (r udevRule) runs() bool { return r.value("RUN") != "" }

// value is what the rule assigns to a key; of RUN the programs, not udev's own commands.
func (r udevRule) value(key string) string {
	for _, i := range r.items {
		if i.key == key && i.op != "==" && i.op != "!=" && i.name != "builtin" {
			return i.value
		}
	}
	return ""
}

// applyTo follows the rules for one device. A rule that matches by what is not known of the device leaves a doubt when
// it could run a program.
func (in *shProcess) applyTo(b blockDevice, rules []udevRule) {
	skip := ""
	for i, r := range rules {
		if i > 0 && rules[i-1].file != r.file {
			skip = "" // labels belong to their file
		}
		if skip != "" {
			if r.value("LABEL") == skip {
				skip = ""
			}
			continue
		}
		switch in.matches(r, b) {
		case no:
			continue
		case unknown:
			if in.x.unsure == nil && (r.runs() || r.value("GOTO") != "" && slices.ContainsFunc(rules, func(o udevRule) bool { return o.file == r.file && o.runs() })) {
				in.x.unsure = trace.Why("unknown.udev-rule", "path", r.file, "device", "/dev/"+b.name)
			}
			continue
		}
		skip = r.value("GOTO")
		if r.runs() {
			in.runRule(r, b)
		}
	}
}

func (in *shProcess) matches(r udevRule, b blockDevice) answer {
	result := yes
	for _, i := range r.items {
		if i.op != "==" && i.op != "!=" {
			continue
		}
		values, known := in.udevValue(b, i.key, i.name)
		if !known {
			result = unknown
			continue
		}
		hit := slices.ContainsFunc(strings.Split(i.value, "|"), func(p string) bool {
			return slices.ContainsFunc(values, func(v string) bool { return sh.Match(p, v) })
		})
		if hit != (i.op == "==") {
			return no
		}
	}
	return result
}

// udevValue is a key's value of a device, or what a script gave udevd for every event: udevadm control --property. The
// names in rd_ are dracut's, which nothing else sets: 90mdraid/parse-md.sh.
func (in *shProcess) udevValue(b blockDevice, key, name string) (values []string, known bool) {
	if v, given := in.x.udevProperties[name]; key == "ENV" && (given || strings.HasPrefix(name, "rd_")) {
		return []string{v}, true
	}
	return b.udev(key, name)
}

// udev gives the values that a key of a rule has for a device, as far as they follow from what it holds.
func (b blockDevice) udev(key, name string) (values []string, known bool) {
	switch key {
	case "ACTION":
		return []string{"add"}, true
	case "SUBSYSTEM":
		return []string{"block"}, true
	case "KERNEL":
		return []string{b.name}, true
	case "SYMLINK":
		for _, tag := range [...]string{"LABEL", "UUID", "PARTLABEL", "PARTUUID"} {
			if v := b.tag(tag); v != "" {
				values = append(values, "disk/by-"+strings.ToLower(tag)+"/"+strings.ReplaceAll(v, " ", `\x20`))
			}
		}
		return values, true
	case "ENV":
		tags := map[string]string{"ID_FS_TYPE": "TYPE", "ID_FS_UUID": "UUID", "ID_FS_UUID_ENC": "UUID", "ID_FS_LABEL": "LABEL", "ID_FS_LABEL_ENC": "LABEL",
			"ID_PART_ENTRY_UUID": "PARTUUID", "ID_PART_ENTRY_NAME": "PARTLABEL"}
		switch tag := tags[name]; {
		case tag != "":
			return []string{b.tag(tag)}, true
		case name == "DEVNAME":
			return []string{"/dev/" + b.name}, true
		case name == "DEVTYPE" && b.part != nil:
			return []string{"partition"}, true
		case name == "DEVTYPE":
			return []string{"disk"}, true
		case strings.HasPrefix(name, "DM_") && !strings.HasPrefix(b.name, "dm-"):
			return []string{""}, true
		}
	}
	return nil, false
}

// runRule runs a rule's program once the event is processed.
func (in *shProcess) runRule(r udevRule, b blockDevice) {
	command := strings.NewReplacer("%k", b.name, "$kernel", b.name, "$env{DEVNAME}", "/dev/"+b.name, "$tempnode", "/dev/"+b.name, "$devnode", "/dev/"+b.name, "%N", "/dev/"+b.name).Replace(r.value("RUN"))
	if words := strings.Fields(command); len(words) > 0 && !strings.ContainsAny(command, `%$'\`) {
		in.step("initramfs.udev-run", map[string]string{"device": b.name, "rules": r.file, "command": command}, "udev(7), RUN")
		child := in.child()
		child.stdout, child.stderr, child.stdin = &sink{kind: "null"}, &sink{kind: "null"}, &input{}
		child.program(words)
		return
	}
	if in.x.unsure == nil {
		in.x.unsure = trace.Why("unknown.udev-program", "path", r.file, "device", "/dev/"+b.name)
	}
}
