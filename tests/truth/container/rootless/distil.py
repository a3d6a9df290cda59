#!/usr/bin/env python3
"""distil.py TRACE PROGRAM: one line per call of strace -f -ttt -y output, up to the execve of PROGRAM: milliseconds,
process (threads count as their process), call. What only asks, checks of the storage driver, and files are left out."""
import re, sys

KEEP = re.compile(r'(clone3?|unshare|setns|mount|umount2|pivot_root|set(?:res)?[ug]id|setgroups|setsid|sethostname|capset|keyctl|execve|prctl|seccomp|prlimit64|mknod(?:at)?|symlink(?:at)?|open_tree|move_mount|mount_setattr|write)\(')
NOISE = re.compile(r'PR_CAPBSET_READ|PR_GET|PR_SET_(VMA|NAME|PDEATHSIG)|IS_SET|SECCOMP_(GET|SET_MODE_STRICT)|EFAULT|-check\d|/compat\d|"ROOT|NULL, \{rlim|NULL, \{')
WRITES = re.compile(r'<[^>]*(/proc/\d+/[ug]id_map|/sys/fs/cgroup|/proc/sys)')

calls, pending, owner = [], {}, {}
for line in open(sys.argv[1], errors='replace'):
    m = re.match(r'(\d+) +([\d.]+) (.*)', line)
    if not m:
        continue
    pid, at, text = m[1], float(m[2]), m[3]
    if text.endswith('<unfinished ...>'):
        pending[pid] = len(calls)
        calls.append([at, pid, text[:-len('<unfinished ...>')]])
    elif (r := re.match(r'<\.\.\. \w+ resumed>(.*)', text)) and pid in pending:
        calls[pending.pop(pid)][2] += r[1]
    else:
        calls.append([at, pid, text])

first = calls[0][0]
for at, pid, text in calls:
    if m := re.match(r'(?:clone3?|v?fork)\((.*)\) += (\d+)', text):
        if 'CLONE_THREAD' in text:
            owner[m[2]] = owner.get(pid, 'P0')
        else:
            owner[m[2]] = 'P%d' % (len(set(owner.values()) | {'P0'}))
    if not KEEP.match(text) or NOISE.search(text) or 'CLONE_THREAD' in text:
        continue
    if text.startswith('write(') and not WRITES.search(text):
        continue
    if text.startswith('execve(') and not text.rstrip().endswith('= 0'):
        continue
    print('%9.3f %-4s %s' % ((at - first) * 1000, owner.get(pid, 'P0'), re.sub(r' +=', ' =', text)))
    if text.startswith('execve("' + sys.argv[2]):
        break
