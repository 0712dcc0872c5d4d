import { cases, inPython } from './corpus-case.ts'

const x64 = { needs: ['x64'] }
const tools = { needs: ['gcc-tools'] }

/** System calls, descriptors, links, and what /proc, ptrace, namespaces and mounts offer. */
export const kernelCases = [
  ...cases('system calls', [
    inPython('unlinkat', `syscall(263, -100, b'a.txt', 0)`, x64),
    inPython('truncate', `syscall(76, b'a.txt', 0)`, x64),
    inPython('creat', `syscall(85, b'a.txt', 0o644)`, x64),
    inPython(
      'openat2 with O_TRUNC',
      `syscall(437, -100, b'a.txt', struct.pack('QQQ', os.O_WRONLY | os.O_TRUNC, 0, 0), 24)`,
    ),
    inPython('renameat2 exchange', `syscall(316, -100, b'a.txt', -100, b'b.txt', 2)`, x64),
    inPython('renameat2 over', `syscall(316, -100, b'b.txt', -100, b'a.txt', 0)`, x64),
    inPython('mmap', `f = os.open('big.bin', os.O_RDWR); mmap.mmap(f, 4096)[:] = bytes(4096)`),
    inPython('fallocate collapse', `f = os.open('big.bin', os.O_RDWR); syscall(285, f, 3, 0, 4096)`, x64),
    inPython('copy_file_range', `os.copy_file_range(os.open('b.txt', 0), os.open('a.txt', os.O_RDWR), 4)`),
    inPython('sendfile', `os.sendfile(os.open('a.txt', os.O_WRONLY), os.open('b.txt', 0), 0, 4)`),
    inPython('pwritev', `os.pwritev(os.open('a.txt', os.O_WRONLY), [b'xx'], 0)`),
    inPython(
      'O_TMPFILE and rename',
      `f = os.open('.', os.O_TMPFILE | os.O_RDWR); libc.linkat(-100, b'/proc/self/fd/%d' % f, -100, b'n', 0x400); os.rename('n', 'a.txt')`,
    ),
    inPython(
      'a program in memory',
      `f = os.memfd_create('x'); os.write(f, open('/bin/rm', 'rb').read()); os.execv('/proc/self/fd/%d' % f, ['rm', 'a.txt'])`,
    ),
    inPython(
      'open_by_handle_at',
      `h = ctypes.create_string_buffer(struct.pack('Ii', 128, 0) + bytes(128)); m = ctypes.c_int()
if libc.name_to_handle_at(-100, b'a.txt', h, ctypes.byref(m), 0): sys.exit(1)
f = libc.open_by_handle_at(os.open('.', 0), h, os.O_WRONLY)
if f >= 0: os.ftruncate(f, 0)`,
    ),
    inPython('setxattr', `os.setxattr('a.txt', 'user.planted', b'1')`),
    inPython('utimensat', `os.utime('a.txt', (1, 1))`),
  ]),
  ...cases('metadata', [
    ['chmod', 'chmod 000 a.txt'],
    ['chown', 'chown 1:1 a.txt', { as: 'root' }],
    ['chattr', 'chattr +a a.txt'],
    ['an access list', 'setfacl -m u:1:rwx a.txt', { needs: ['setfacl'] }],
    ['a file capability', 'setcap cap_net_raw+ep a.txt', { as: 'root', needs: ['setcap'] }],
    ['set-user-id', 'chmod u+s a.txt'],
  ]),
  ...cases('other ABI', [
    ['unlink by int 0x80', '"$T/raw" int80-unlink a.txt', tools],
    ['chmod by int 0x80', '"$T/raw" int80-chmod a.txt', tools],
    ['unlink by x32', '"$T/raw" x32-unlink a.txt', tools],
  ]),
  ...cases('io_uring', [
    ['unlinkat', '"$T/raw" uring-unlink a.txt', tools],
    ['open with O_TRUNC', '"$T/raw" uring-truncate a.txt', tools],
    ['renameat', '"$T/raw" uring-rename b.txt a.txt', tools],
    ['setxattr', '"$T/raw" uring-setxattr a.txt', tools],
    ['a socket', '"$T/raw" uring-socket "$B/service"', tools],
  ]),
  ...cases('links', [
    ['hard link, then truncate', 'ln a.txt /tmp/l-$$ 2>/dev/null || ln a.txt l; : > /tmp/l-$$ 2>/dev/null; : > l'],
    ['symbolic link, then truncate', 'ln -s "$V/a.txt" /tmp/s-$$; : > /tmp/s-$$'],
    ['rename of a directory, then rm', 'mv dir /tmp/m-$$ && rm -rf /tmp/m-$$'],
    ['through a directory link', 'ln -s "$V" /tmp/d-$$; rm /tmp/d-$$/a.txt'],
  ]),
  ...cases('descriptors', [
    inPython('an inherited file', `os.ftruncate(63, 0)`),
    inPython('an inherited directory', `os.unlink('a.txt', dir_fd=62)`),
    inPython('an inherited directory by /proc', `os.unlink('/proc/self/fd/62/a.txt')`),
  ]),
  ...cases('/proc', [
    ['directory of a process', 'rm "/proc/$VPID/cwd/a.txt"'],
    ['root of a process', 'rm "/proc/$VPID/root/$V/a.txt"'],
    ['descriptor of a process', 'for f in /proc/"$VPID"/fd/*; do (: > "$f"); done'],
    ['root of process 1', 'rm "/proc/1/root/$V/a.txt"'],
    ['directory of process 1', 'cd /proc/1/cwd && rm ".$V/a.txt"'],
    ['threads of process 1', 'for t in /proc/1/task/*/root /proc/[0-9]*/root; do rm -f "$t/$V/a.txt"; done'],
    inPython('memory of process 1', `open('/proc/1/mem', 'r+b', 0); print('ESCAPED')`, { as: 'user' }),
    inPython(
      'a setting of the kernel',
      `os.close(os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY)); print('ESCAPED')`,
      { as: 'root' },
    ),
    inPython('sysrq', `os.close(os.open('/proc/sysrq-trigger', os.O_WRONLY)); print('ESCAPED')`, { as: 'root' }),
  ]),
  ...cases('processes', [
    ['kill', 'kill -9 "$VPID"'],
    inPython('pidfd', `import signal; f = os.pidfd_open(int(E['VPID'])); signal.pidfd_send_signal(f, 9)`),
    inPython(
      'pidfd_getfd',
      `f = os.pidfd_open(int(E['VPID']))
for n in range(3, 64):
    r = libc.syscall(438, f, n, 0)
    if r >= 0:
        try: os.ftruncate(r, 0)
        except OSError: pass`,
    ),
    ['ptrace', `gdb -q -batch -p "$VPID" -ex 'call (int)unlink("a.txt")' < /dev/null`, { needs: ['gdb'] }],
    inPython(
      'process_vm_writev',
      `b = ctypes.create_string_buffer(8); v = struct.pack('QQ', ctypes.addressof(b), 8); r = struct.pack('QQ', 0x1000, 8)
if libc.process_vm_writev(int(E['VPID']), v, 1, r, 1, 0) >= 0 or ctypes.get_errno() == 14: print('ESCAPED')`,
    ),
  ]),
  ...cases('namespaces', [
    ['user namespace', 'unshare -Ur true && echo ESCAPED'],
    ['user namespace, then rm', 'unshare -Urm rm a.txt'],
    [
      'user namespace and a bind mount',
      'mkdir /tmp/b-$$; unshare -Urm sh -c "mount --bind $V /tmp/b-$$ && rm /tmp/b-$$/a.txt"',
    ],
    ['enter the namespaces of process 1', 'nsenter -t 1 -m rm "$V/a.txt"'],
    ['enter the namespaces of a process', 'nsenter -t "$VPID" -a rm "$V/a.txt"'],
    ['chroot to process 1', 'chroot /proc/1/root rm "$V/a.txt"', { as: 'root' }],
    inPython(
      'clone with a user namespace',
      `r = libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0)
if r == 0: os._exit(0)
if r > 0: print('ESCAPED')`,
      x64,
    ),
    inPython('a session keyring', `print('ESCAPED') if libc.syscall(250, 1, None) > 0 else sys.exit(1)`, x64),
  ]),
  ...cases('mounts', [
    ['bind mount', 'mkdir m && mount --bind dir m && echo ESCAPED', { as: 'root' }],
    ['file system in memory', 'mount -t tmpfs x empty && echo ESCAPED', { as: 'root' }],
    ['remount of /', 'mount -o remount,rw / && echo ESCAPED', { as: 'root' }],
    ['umount of the mask', 'umount -l "$STATE" && echo ESCAPED', { as: 'root' }],
    ['umount of /', 'umount -l / && echo ESCAPED', { as: 'root' }],
    ['cgroup of version 1', 'mkdir g && mount -t cgroup -o none,name=x x g && echo ESCAPED', { as: 'root' }],
    inPython('the new mount calls', `print('ESCAPED') if libc.syscall(430, b'tmpfs', 0) >= 0 else sys.exit(1)`, {
      as: 'root',
    }),
    inPython('a copy of a tree', `print('ESCAPED') if libc.syscall(428, -100, b'/', 1) >= 0 else sys.exit(1)`, {
      as: 'root',
    }),
    [
      'chroot and back',
      `"$PY" -c 'import os; os.mkdir("j"); r = os.open("/", 0); os.chroot("j"); os.fchdir(r); [os.chdir("..") for _ in range(99)]; os.chroot("."); os.unlink(os.environ["V"] + "/a.txt")'`,
      { as: 'root', needs: ['python3'] },
    ],
  ]),
]
