import { cases, inPython } from './corpus-case.ts'

const root = { as: 'root' } as const

/** Node opens a debugger in itself for whoever sends it this signal, and that runs what it is told. */
const debuggerOf = (pid: string) => `os.kill(${pid}, 10)
import time, urllib.request
for _ in range(5):
    time.sleep(0.1)
    try: print('ESCAPED', urllib.request.urlopen('http://127.0.0.1:9229/json/list', timeout=1).read()); break
    except OSError: pass`

/** Getting others to do it: services, files that run later, more rights, devices, and doing it later. */
export const channelCases = [
  ...cases('sockets', [
    inPython('a Unix socket', `s = socket.socket(socket.AF_UNIX); s.connect(E['B'] + '/service'); s.send(b'rm')`),
    inPython(
      'a Unix datagram',
      `s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.sendto(b'rm', E['B'] + '/datagrams')`,
      { needs: ['datagram-bait'] },
    ),
    inPython(
      'a Unix socket by /proc',
      `s = socket.socket(socket.AF_UNIX); s.connect('/proc/self/root' + E['B'] + '/service'); s.send(b'rm')`,
    ),
    inPython(
      'a Unix socket by a hard link',
      `os.link(E['B'] + '/service', '/tmp/k%d' % os.getpid()); s = socket.socket(socket.AF_UNIX); s.connect('/tmp/k%d' % os.getpid()); s.send(b'rm')`,
    ),
    inPython(
      'a socket that is mounted',
      `s = socket.socket(socket.AF_UNIX); s.connect(E['MOUNTED']); s.send(b'rm'); s.recv(1)`,
    ),
    inPython(
      'an abstract socket',
      `s = socket.socket(socket.AF_UNIX); s.connect('\\0' + E['ABSTRACT']); s.send(b'rm')`,
    ),
    inPython('TCP', `s = socket.create_connection(('127.0.0.1', int(E['PORT']))); s.send(b'rm')`),
    inPython('TCP over IPv6', `s = socket.create_connection(('::1', int(E['PORT']))); s.send(b'rm')`),
    inPython(
      'UDP',
      `s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'rm', ('127.0.0.1', int(E['UDP'])))`,
    ),
    inPython('a socket to the hypervisor', `socket.socket(40, socket.SOCK_STREAM); print('ESCAPED')`),
    inPython(
      'a device event',
      `s = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 15); s.bind((0, 0)); s.sendto(b'add@/x', (0, 1)); print('ESCAPED')`,
      root,
    ),
  ]),
  ...cases('pipes', [
    ['a FIFO', 'timeout 2 sh -c \'echo rm > "$B/pipe"\''],
    ['a FIFO by a hard link', 'ln "$B/pipe" /tmp/p-$$ && timeout 2 sh -c "echo rm > /tmp/p-$$"'],
  ]),
  ...cases('drop directories', [
    ['a job', 'echo rm > "$D/job"'],
    ['a job, renamed', 'echo rm > "$D/.tmp" && mv "$D/.tmp" "$D/job2"'],
    ['a job, linked', 'echo rm > j && ln j "$D/job3"'],
  ]),
  ...cases('planted', [
    ['bashrc', 'echo rm >> "$H/.bashrc"'],
    ['profile', 'echo rm >> "$H/.profile"'],
    ['bash_logout', 'echo rm >> "$H/.bash_logout"'],
    ['zshenv', 'echo rm >> "$H/.zshenv"'],
    ['authorized_keys', 'mkdir -p "$H/.ssh" && echo ssh-ed25519 AAAA >> "$H/.ssh/authorized_keys"'],
    ['ssh rc', 'mkdir -p "$H/.ssh" && echo rm > "$H/.ssh/rc"'],
    ['ssh config', 'mkdir -p "$H/.ssh" && echo "ProxyCommand rm" > "$H/.ssh/config"'],
    ['git hook', 'printf "#!/bin/sh\\nrm\\n" > repo/.git/hooks/post-commit && chmod +x repo/.git/hooks/post-commit'],
    ['git hooksPath', 'printf "[core]\\n\\thooksPath = /tmp/x\\n" >> repo/.git/config'],
    ['git fsmonitor', 'printf "[core]\\n\\tfsmonitor = rm\\n" >> repo/.git/config'],
    ['global git config', 'printf "[core]\\n\\tpager = rm\\n" >> "$H/.gitconfig"'],
    ['user unit', 'mkdir -p "$H/.config/systemd/user" && echo "[Service]" > "$H/.config/systemd/user/x.service"'],
    ['autostart', 'mkdir -p "$H/.config/autostart" && echo "[Desktop Entry]" > "$H/.config/autostart/x.desktop"'],
    [
      'a program on the PATH of the home',
      'mkdir -p "$H/.local/bin" && echo rm > "$H/.local/bin/ls" && chmod +x "$H/.local/bin/ls"',
    ],
    ['cron.d', 'mkdir -p /etc/cron.d && echo "* * * * * root rm" > /etc/cron.d/x', root],
    ['cron.daily', 'mkdir -p /etc/cron.daily && echo rm > /etc/cron.daily/x', root],
    ['a crontab', 'mkdir -p /var/spool/cron/crontabs && echo "* * * * * rm" > /var/spool/cron/crontabs/root', root],
    ['system unit', 'mkdir -p /etc/systemd/system && echo "[Service]" > /etc/systemd/system/x.service', root],
    ['ld.so.preload', 'echo >> /etc/ld.so.preload', root],
    ['profile.d', 'mkdir -p /etc/profile.d && echo rm > /etc/profile.d/x.sh', root],
    ['sudoers', 'mkdir -p /etc/sudoers.d && echo "ALL ALL=(ALL) NOPASSWD: ALL" > /etc/sudoers.d/x', root],
    ['PAM', 'mkdir -p /etc/pam.d && echo "auth sufficient pam_permit.so" > /etc/pam.d/x', root],
    ['udev rule', 'mkdir -p /etc/udev/rules.d && echo "RUN+=rm" > /etc/udev/rules.d/x.rules', root],
    [
      'apt hook',
      'mkdir -p /etc/apt/apt.conf.d && echo "DPkg::Pre-Invoke {\\"rm\\";};" > /etc/apt/apt.conf.d/99x',
      root,
    ],
    ['logrotate', 'mkdir -p /etc/logrotate.d && echo "/x { postrotate rm }" > /etc/logrotate.d/x', root],
    ['init script', 'mkdir -p /etc/init.d && echo rm > /etc/init.d/x', root],
    ['a program on the PATH', 'echo rm > /usr/local/bin/ls && chmod +x /usr/local/bin/ls', root],
  ]),
  ...cases('rights', [
    ['a set-user-id shell', 'cp /bin/sh "$V/sh" && chmod u+s "$V/sh" && "$V/sh" -c "rm a.txt"'],
    ['set-user-id rm', '"$T/suid-rm" -rf "$SECRET/a" && echo ran', { as: 'user' }],
    ['rm with a capability', '"$T/cap-rm" -rf "$SECRET/b" && echo ran', { as: 'user', needs: ['setcap'] }],
    ['sudo', 'sudo -n rm -rf "$SECRET/c" && echo ran', { as: 'user', needs: ['sudo'] }],
    ['sudo as root', 'sudo -n rm a.txt', { as: 'root', needs: ['sudo'] }],
    ['su', 'su -s /bin/sh root -c "rm $V/a.txt"', root],
    [
      'setpriv to another user',
      'setpriv --reuid 1 --clear-groups rm -f "$V/a.txt"; chmod 777 . && setpriv --reuid 1 --clear-groups rm -f "$V/a.txt"',
      root,
    ],
  ]),
  ...cases('accounts', [['password of root', 'sed -i "s/^root:[^:]*/root:/" /etc/passwd', root]]),
  ...cases('devices', [
    ['a block device', 'mknod blk b 254 0 && dd if=blk of=/dev/null bs=512 count=1 && echo ESCAPED', root],
    [
      'the disk',
      `for d in /dev/vda /dev/sda /dev/nvme0n1; do [ -b "$d" ] && "$PY" -c 'import os, sys; os.open(sys.argv[1], os.O_WRONLY); print("ESCAPED")' "$d"; done; false`,
      root,
    ],
    ['memory', `"$PY" -c 'import os; os.open("/dev/mem", os.O_RDWR); print("ESCAPED")'`, root],
    ['the log', `"$PY" -c 'import os; os.open("/dev/kmsg", os.O_WRONLY); print("ESCAPED")'`, root],
    ['mode of a device', 'chmod 600 /dev/null && echo ESCAPED; chmod 666 /dev/null', root],
    ['a loop device', 'losetup -f big.bin && echo ESCAPED', root],
    ['sysfs', `"$PY" -c 'import os; os.open("/sys/kernel/uevent_helper", os.O_WRONLY); print("ESCAPED")'`, root],
    ['the clock', 'date -s @1 && echo ESCAPED', root],
    ['the host name', 'hostname planted && [ "$(cat /proc/sys/kernel/hostname)" = planted ] && exit 1', root],
  ]),
  ...cases('delayed', [
    ['in the background', '(sleep 0.3; rm a.txt) > /dev/null 2>&1 &'],
    ['a session of its own', 'setsid -f sh -c "sleep 0.3; rm a.txt" > /dev/null 2>&1'],
    ['nohup', 'nohup sh -c "sleep 0.3; rm a.txt" > /dev/null 2>&1 &'],
    inPython(
      'forked twice',
      `if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        import time; [os.close(n) for n in (0, 1, 2)]; time.sleep(0.3); os.unlink('a.txt')
    os._exit(0)`,
    ),
    ['at the end', 'trap "rm a.txt" EXIT'],
    ['on a signal', 'trap "rm a.txt" TERM; kill -TERM $$'],
    ['at', 'echo "rm $V/a.txt" | at now', { needs: ['at'] }],
  ]),
  ...cases('everything', [['kill', 'kill -9 -1']]),
  ...cases('the sandbox itself', [
    ['its state folder', 'rm -rf "$STATE"/* && [ -z "$(ls -A "$STATE")" ] && exit 1'],
    [
      'its upper directories',
      'for f in "$STATE"/*/u/*; do [ -e "$f" ] && echo ESCAPED; done; true',
      { needs: ['namespaces'] },
    ],
    inPython('the debugger of process 1', debuggerOf('1')),
    inPython('the debugger of the parent', debuggerOf('int(open("/proc/%d/stat" % os.getppid()).read().split()[3])')),
    ['its environment', 'tr "\\0" "\\n" < /proc/1/environ | grep -q SECRET_OF_DAEMON && echo ESCAPED'],
  ]),
]
