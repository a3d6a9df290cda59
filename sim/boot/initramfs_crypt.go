package boot

import (
	"path"
	"slices"
	"strings"

	"bootpath/sim/trace"
)

// cryptsetup is cryptsetup(8) as start scripts use it: to ask whether a device is encrypted, and to open it.
// Opening needs a key file, which bootpath does not try, or a passphrase, which only its owner knows.
func (in *shProcess) cryptsetup(words []string) ctl {
	action, operands, key := cryptArgs(words)
	if len(operands) == 0 {
		return in.stacked(words)
	}
	device := operands[0]
	b, ok := in.blockDevice(device)
	luks := ok && b.tag("TYPE") == "crypto_LUKS"
	switch action {
	case "isLuks":
		if luks {
			return in.ok()
		}
		return in.failed()
	case "luksOpen", "open":
	case "luksClose", "close", "remove":
		if _, err := in.stat("/dev/mapper/" + path.Base(device)); err == nil {
			return in.end("unknown.program-does", "program", "cryptsetup "+action+" "+device)
		}
		in.err("Device %s is not active.\n", device)
		in.status = 4
		return ctlNone
	default:
		return in.end("unknown.program-does", "program", "cryptsetup "+action+" "+device)
	}
	switch {
	case !ok:
		in.found(device, "none", b)
		in.err("Device %s does not exist or access denied.\n", device)
		in.status = 4
		return ctlNone
	case !luks && (action == "luksOpen" || slices.Contains(words, "luks")):
		in.err("Device %s is not a valid LUKS device.\n", device)
		return in.failed()
	case key != "":
		return in.end("unknown.key-opens", "key", key, "device", device)
	}
	name := path.Base(device)
	if len(operands) > 1 {
		name = operands[1]
	}
	return in.passphrase("Enter passphrase for "+device+": ", name, device)
}

// cryptArgs takes a cryptsetup command line apart; old versions know options that newer ones spell with "=".
func cryptArgs(words []string) (action string, operands []string, key string) {
	valued := []string{"--type", "--key-file", "-d", "--key-slot", "-S", "--header", "--keyfile-size", "-l", "--keyfile-offset", "--tries", "-T", "--timeout", "-t"}
	for i := 1; i < len(words); i++ {
		name, value, joined := strings.Cut(words[i], "=")
		switch {
		case !strings.HasPrefix(words[i], "-") || words[i] == "-":
			operands = append(operands, words[i])
			continue
		case !joined && slices.Contains(valued, name) && i+1 < len(words):
			i++
			value = words[i]
		}
		if name == "--key-file" || name == "-d" {
			key = value
		}
	}
	if len(operands) > 0 {
		action, operands = operands[0], operands[1:]
	}
	return action, operands, key
}

// askpass is cryptsetup-initramfs's program that asks at the console: its argument is the prompt.
func (in *shProcess) askpass(words []string) ctl {
	prompt := "Passphrase: "
	if len(words) > 1 {
		prompt = words[1]
	}
	device := in.vars["CRYPTTAB_SOURCE"]
	if device == "" {
		return in.end("unknown.answer", "prompt", strings.TrimSpace(prompt))
	}
	return in.passphrase(prompt, in.vars["CRYPTTAB_NAME"], device)
}

// passphrase asks for one. What comes behind it nobody but its owner can know.
func (in *shProcess) passphrase(prompt, name, device string) ctl {
	in.emit("initramfs.passphrase", prompt, map[string]string{"name": name, "device": device, "prompt": strings.TrimSpace(prompt)}, "cryptsetup(8)")
	return in.endFor(trace.Why("unknown.passphrase", "device", name+" ("+device+")"))
}
