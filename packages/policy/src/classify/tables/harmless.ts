/**
 * Programs and builtins that have no option and no operand with which they write a file, load code or run a program: they read
 * whatever they are told. Whoever adds one has read all of its manual, also that of BSD and of busybox. All others are in a table
 * with the options that they may be given.
 */
export const harmlessNames = [
  // Print files, or what comes in, elsewhere only on their output: POSIX, coreutils, diffutils.
  'cat head tail tac nl wc cut paste join comm tr fold fmt expand unexpand rev look column cmp od hexdump',
  'md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum base32',
  // `-f` reads patterns, and nothing of it writes.
  'grep egrep fgrep jq',
  // Directories, and what is said of files.
  'ls dir vdir stat du df basename dirname readlink realpath pathchk namei getfacl lsattr',
  // Say something that they know by themselves.
  'echo true false : sleep seq yes expr factor pwd nproc arch uname tty groups users id whoami logname hostid',
  'uptime free w who cal printenv locale',
  // Processes and devices, as the kernel shows them.
  'ps pstree lscpu lsmem lsblk lsns lsipc lslogins findmnt',
  // Builtins that change only the shell itself: where it is, what it waits for.
  'cd pushd popd dirs times exit return break continue umask ulimit fg bg logout type',
].join(' ')
