#!/usr/bin/env python3
"""record.py LAB NAME…: builds LAB/images/sd-NAME.qcow2 from LAB/build/deb-bios.raw and variants/NAME.txt, starts it
under QEMU with LAB/record-boot.sh and keeps in recorded/NAME.txt what concerns the variant's units.

A variant is a list of files ("-- PATH [MODE] --", then the text; "-- link PATH TARGET --") and words for the kernel
command line ("-- cmdline --"). PID 1's journal goes to the console, so that every line of it can be compared.
Needs debugfs, qemu-img, qemu-system-x86_64."""
import os, re, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
ALWAYS = 'no_timer_check systemd.journald.forward_to_console=1'
# Waits until the timers and timeouts of the variants are over, then tells how every unit ended.
RECORDER = '''#!/bin/sh
[ "$(cat /sys/class/dmi/id/product_serial 2>/dev/null)" = BOOTPATH-RECORD ] || exit 0
sleep 25
T=/dev/ttyS1; stty -F $T raw -echo; exec >$T 2>&1 </dev/null
echo "#### systemctl show"
systemctl show --all '*' -p Id,LoadState,ActiveState,SubState,Result,InactiveExitTimestampMonotonic
echo "#### END"
sleep 1; sync; exec poweroff -f
'''


def read(name):
    """The files, links and command line of a variant."""
    parts = re.split(r'^-- (.*) --\n', open(f'{HERE}/variants/{name}.txt').read(), flags=re.M)
    files, links, words = {}, {}, ALWAYS
    for head, text in zip(parts[1::2], parts[2::2]):
        f = head.split()
        if head == 'cmdline':
            words += ' ' + text.strip()
        elif f[0] == 'link':
            links[f[1]] = f[2]
        else:
            files[f[0]] = (text, f[1] if len(f) > 1 else '0644')
    files['usr/local/sbin/bootpath-truth'] = (RECORDER, '0755')
    for program in ('true', 'false', 'sleep'):
        links['usr/local/bin/' + program] = '/bin/' + program
    return files, links, words


def build(lab, name):
    raw, image = f'{lab}/build/sd-{name}.raw', f'{lab}/images/sd-{name}.qcow2'
    files, links, words = read(name)
    subprocess.run(['cp', '--sparse=always', f'{lab}/build/deb-bios.raw', raw], check=True)
    part = raw + '?offset=1048576'
    grub = subprocess.run(['debugfs', '-R', 'cat /boot/grub/grub.cfg', part], check=True, capture_output=True, text=True).stdout
    files['boot/grub/grub.cfg'] = (grub.replace('console=ttyS0', 'console=ttyS0 ' + words), '0644')
    script, made = [], set()
    for n, path in enumerate([*files, *links]):
        for i in range(1, path.count('/') + 1):
            d = '/'.join(path.split('/')[:i])
            if d not in made:
                made.add(d)
                script.append(f'mkdir /{d}')  # of one that exists it only complains
        script.append(f'rm /{path}')
        if path in links:
            script.append(f'symlink /{path} {links[path]}')
            continue
        text, mode = files[path]
        open(f'{lab}/build/sd-{name}.{n}', 'w').write(text)
        script += [f'write {lab}/build/sd-{name}.{n} /{path}', f'sif /{path} mode 0100{mode[1:]}', f'sif /{path} uid 0', f'sif /{path} gid 0']
    subprocess.run(['debugfs', '-w', '-f', '/dev/stdin', part], input='\n'.join(script) + '\n', check=True, capture_output=True, text=True)
    subprocess.run(['qemu-img', 'convert', '-O', 'qcow2', raw, image], check=True)
    for f in os.listdir(f'{lab}/build'):
        if f.startswith(f'sd-{name}.'):
            os.remove(f'{lab}/build/{f}')


def record(lab, name):
    env = dict(os.environ, QUIET=os.environ.get('QUIET', '60'), LIMIT=os.environ.get('LIMIT', '420'))
    subprocess.run(['nice', f'{lab}/record-boot.sh', f'sd-{name}', 'bios'], check=True, env=env)


ESCAPE = re.compile(r'\x1b(\[[0-9;?]*[A-Za-z]|M)')
LOG = re.compile(r'\[ *\d+\.\d+\] ((systemd\[1\]|\([\w.-]+\)?\[\d+\]?): .*)')
STATUS = re.compile(r'(\[[ A-Z]{6}\]| {8}) .*')

# The variants' units, and those that the command line can ask for.
ABOUT = re.compile(r'\b(t-|debug-shell|rc-local|kernel-command|system-update|emergency|rescue|Queued start job|Populated|Detected first|Falling|Freezing|default target)')


def distill(lab, name):
    """Keeps PID 1's lines, without time stamps, and how the variant's units ended."""
    truth = f'{lab}/truth/sd-{name}-bios'
    lines, on = [], False
    for raw in open(f'{truth}/serial.log', errors='replace').read().replace('\r', '').split('\n'):
        raw = ESCAPE.sub('', raw)
        on = on or 'running in system mode' in raw
        if on and not re.match(r'\[[ *]{6}\]', raw):
            log, status = LOG.search(raw), STATUS.match(raw)
            lines += [log[1]] if log else [raw.rstrip()] if status else []
    lines = [line for line in lines if ABOUT.search(line)]
    try:
        guest = open(f'{truth}/guest.log').read()
    except OSError:
        guest = ''
    units = []
    for block in guest.split('\n\n'):
        u = dict(line.split('=', 1) for line in block.strip().split('\n') if '=' in line)
        if u.get('Id', '').startswith('t-'):
            units.append(' '.join([u['Id'], u['LoadState'], u['ActiveState'], u['SubState'], u.get('Result', '-')]))
    with open(f'{HERE}/recorded/{name}.txt', 'w') as f:
        f.write('\n'.join(lines + ['-- units --'] + sorted(units)) + '\n')


if __name__ == '__main__':
    only = sys.argv[1] == 'distill'
    lab, names = (sys.argv[2], sys.argv[3:]) if only else (sys.argv[1], sys.argv[2:])
    for name in names:
        if not only:
            build(lab, name)
            record(lab, name)
        distill(lab, name)
