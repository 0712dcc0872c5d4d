import { type CheckTable, each, reads, readsExcept, readsOnlyWith } from '../checks.ts'
import { changes, deletes, unclear } from '../command-class.ts'

/** Programs that read and print, whatever they are told. */
const readers = each(
  [
    'cat head tail tac nl wc cut paste join comm tr fold fmt expand unexpand column rev look',
    'ls dir vdir stat du df basename dirname readlink realpath pathchk namei getfacl lsattr',
    'cmp md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum base32 od hexdump strings',
    'grep egrep fgrep zgrep zegrep zfgrep bzgrep xzgrep zcat bzcat xzcat jq',
    'echo true false : sleep seq yes expr factor pwd nproc arch uname tty groups users id whoami logname hostid',
    'uptime free vmstat iostat mpstat numastat w who last lastb lslogins locale getconf getent getcap',
    'ps pgrep pidof pstree pmap pwdx jps lscpu lsmem lsblk lsmod modinfo lsns lsipc lspci lsusb lshw findmnt',
    'netstat dig nslookup host whois ping ping6 traceroute traceroute6 tracepath mtr',
    'zipinfo cal tput clear which whereis whatis apropos getenforce sestatus ausearch aureport pg_isready',
    'acpi showmount cd pushd popd dirs times exit return break',
    'continue wait umask ulimit jobs fg bg logout type printenv shasum md5 sw_vers vm_stat',
  ].join(' '),
  reads,
)

const writes = unclear('may write or run something')

/** Programs that read and print, unless some of their options are given. */
const guarded: CheckTable = {
  sort: readsExcept('o output compress-program T temporary-directory files0-from', 'k t S key field-separator', writes),
  diff: readsExcept('l paginate', 'U C F I L W x X', writes),
  colordiff: readsExcept('l paginate', 'U C F I L W x X', writes),
  sdiff: readsExcept('o output diff-program', 'w I', writes),
  diff3: readsExcept('diff-program', '', writes),
  ...each('zcmp zdiff', readsExcept('l paginate', '', writes)),
  ...each('zstdcat lz4cat', readsExcept('o rm', '', writes)),
  base64: readsExcept('o output', 'i w', writes),
  pidstat: readsExcept('e', '', writes),
  lastlog: readsExcept('C clear S set', '', writes),
  sensors: readsExcept('s set', '', writes),
  rpcinfo: readsExcept('d', '', writes),
  ...each('lvs vgs pvs lvdisplay vgdisplay pvdisplay', readsExcept('config profile commandprofile', 'o S', writes)),
  rg: readsExcept('pre hostname-bin z search-zip', 'e g t T A B C m f j M r E', writes),
  ag: readsExcept('pager', 'G', writes),
  ack: readsExcept('pager ackrc', '', writes),
  fd: readsExcept('x X exec exec-batch', 'e t d S E c', writes),
  fdfind: readsExcept('x X exec exec-batch', 'e t d S E c', writes),
  tree: readsExcept('o R', 'L P I T H', writes),
  file: readsExcept('C compile m magic-file z uncompress Z uncompress-noreport S no-sandbox', 'f F e P', writes),
  less: readsPaged,
  zless: readsPaged,
  more: readsPaged,
  man: readsExcept(
    'P pager H html C config-file p preprocessor t troff T troff-device X gxditview Z ditroff l local-file m systems M manpath e extension D default L',
    's S',
    writes,
  ),
  xxd: atMostOperands('c s l o g R', 1, readsExcept('r revert', 'c s l o g R', writes)),
  uniq: atMostOperands('f s w', 1, reads),
  shuf: readsExcept('o output random-source', 'i n', writes),
  dmesg: readsExcept('C c clear read-clear D E n console-off console-on console-level', 'l f s F', writes),
  lsof: readsExcept('D', 'c d k p u', writes),
  top: requires(/^-[a-zA-Z]*b|^--batch/, readsExcept('', 'n d p u U o w')),
  sar: readsExcept('o', 'i P n', writes),
  date: onlyFormats(readsExcept('s set', 'd f r date file reference', writes)),
  dmidecode: readsExcept('dump-bin d dev-mem', 's t H', writes),
  blkid: readsExcept('g garbage-collect c cache-file', 's o t L U n', writes),
  history: readsOnlyWith('', '', 1),
  bc: readsOnlyWith('l q s w i'),
  printf: readsExcept('v', '', writes),
  test: reads,
  '[': reads,
  hostname: atMostOperands('', 0, readsExcept('F file b boot', '', writes)),
  sysctl: withoutAssignments(readsExcept('w write p load system', 'r pattern', writes)),
  mount: atMostOperands('t', 0, readsOnlyWith('l v V h', 't')),
  swapon: requires(
    /^(?:-s|--show.*|--summary|--version)$/,
    readsOnlyWith('s show summary bytes noheadings raw', 'show'),
  ),
  stty: readsOnlyWith('a all g save', '', 0),
  numactl: readsOnlyWith('H hardware s show', '', 0),
  yq: readsExcept('i inplace in-place s split-exp split-exp-file security-enable-system-operator', 'p o I f', writes),
  xmllint: readsExcept('output o shell', 'xpath schema', writes),
  gzip: requires(/^-(?:[a-z]*[lt][a-z]*|-list|-test)$/, readsOnlyWith('l t v list test verbose')),
  tcpdump: readsExcept('w z Z W C G', 'i c r s y T F', writes),
  locate: readsOnlyWith('i c b e A r regex ignore-case count', 'l n limit'),
  'nvidia-smi': readsOnlyWith('q L l query list-gpus', 'i d query-gpu format query-compute-apps'),
}

/** Builtins of a shell that change only the shell itself. */
const builtins: CheckTable = each(
  'read local declare typeset export readonly unset set shift getopts mapfile readarray let',
  reads,
)

export const plainTable: CheckTable = { ...readers, ...guarded, ...builtins }

const pagerExceptions = readsExcept(
  'o O log-file LOG-FILE k lesskey-file lesskey-src t tag T tag-file p pattern',
  '',
  writes,
)

/** What stands after a plus is done at the start: going to a line is, a command of its own is not. */
function readsPaged(...[words, command]: Parameters<typeof pagerExceptions>): ReturnType<typeof pagerExceptions> {
  const isOther = words.some(({ start }) => start.startsWith('+') && !/^\+[GgF]?\d*$/.test(start))
  return isOther ? writes : pagerExceptions(words, command)
}

/** A second operand is where it writes to. */
function atMostOperands(values: string, maximum: number, check: typeof reads): typeof reads {
  const valued = new Set(values.split(' '))
  return (words, command) => {
    let operands = 0
    for (let index = 0; index < words.length; index += 1) {
      const text = words[index]?.values?.[0] ?? words[index]?.start ?? ''
      if (words[index]?.splits === true) return unclear('is not known: there may be more words than are seen')
      if (/^--?./.test(text)) index += text.length === 2 && valued.has(text.slice(1)) ? 1 : 0
      else if (/[*?{[]/.test(words[index]?.text ?? '') && words[index]?.values === undefined) operands += 2
      else operands += 1
    }
    return operands > maximum ? deletes('may write over what its last word names') : check(words, command)
  }
}

function requires(option: RegExp, check: typeof reads): typeof reads {
  return (words, command) =>
    words.some(({ values }) => option.test(values?.[0] ?? ''))
      ? check(words, command)
      : unclear('does more without an option to read')
}

function withoutAssignments(check: typeof reads): typeof reads {
  return (words, command) =>
    words.every(({ values }) => values?.every((value) => !value.includes('=')) === true)
      ? check(words, command)
      : unclear('may set what it names')
}

/** `date` with anything but a format sets the clock. */
function onlyFormats(check: typeof reads): typeof reads {
  return (words, command) => {
    const isFormat = words.every((word, index) => {
      const before = words[index - 1]?.values?.[0] ?? ''
      return /^[+-]/.test(word.values?.[0] ?? word.start) || /^-(?:[a-zA-Z]*[dfr]|-date|-file|-reference)$/.test(before)
    })
    return isFormat ? check(words, command) : changes('may set the clock')
  }
}
