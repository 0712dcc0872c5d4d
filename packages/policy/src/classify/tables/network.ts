import { mayBeOption, valueOf } from '../../parse/simple-command.ts'
import { optionTable } from '../../unwrap/options.ts'
import { type CheckTable, alwaysChanges, each, reads, readsExcept, readsOnlyWith, tool } from '../checks.ts'
import { type Check, READS, changes, deletes, unclear } from '../command-class.ts'
import { checkCurl, checkWget } from '../programs/downloads.ts'

/** Programs of the network. */
export const networkTable: CheckTable = {
  ss: readsExcept('K kill D diag', 'f A F family query filter', changes('closes connections')),
  ip: checkIp,
  bridge: checkIp,
  ...each('tc', checkIp),
  arp: readsOnlyWith('a n e v', 'i'),
  ethtool: readsOnlyWith('i S k g a c l m n T', '', 1),
  ifconfig: readsOnlyWith('a s', '', 1),
  route: readsOnlyWith('n e', '', 0),
  iwconfig: readsOnlyWith('', '', 1),
  nc: checkNetcat,
  ncat: checkNetcat,
  netcat: checkNetcat,
  curl: checkCurl,
  wget: checkWget,
  ...each('iptables ip6tables iptables-legacy ip6tables-legacy', checkIptables),
  ...each('iptables-save ip6tables-save', readsOnlyWith('c', 't')),
  ...each('iptables-restore ip6tables-restore', alwaysChanges('replaces the rules of the firewall')),
  nft: tool({
    options: optionTable('a n s j y N S'),
    commands: { list: reads, flush: alwaysChanges('empties the firewall') },
  }),
  ufw: tool({ commands: { status: reads, show: reads } }),
  'firewall-cmd': (words) =>
    words.every((word) => /^--(?:list-|state$|get-|info-|query-|zone=)/.test(valueOf(word) ?? ''))
      ? READS
      : changes('changes the firewall'),
  openssl: checkOpenssl,
  'ssh-keyscan': readsOnlyWith('4 6 H', 'p t T'),
  'ssh-add': readsOnlyWith('l L', '', 0),
  chronyc: tool({ commands: each('tracking sources sourcestats activity', reads) }),
  ntpq: readsOnlyWith('p n', '', 1),
  wg: tool({ commands: { show: reads } }),
  tailscale: tool({ commands: each('status ip ping netcheck version', reads) }),
}

/** `ip addr`, `ip -s link show eth0`: reads without a verb, and with one that shows. */
function checkIp(...[words]: Parameters<Check>): ReturnType<Check> {
  const first = words.findIndex((word) => !mayBeOption(word))
  const leading = first < 0 ? words : words.slice(0, first)
  const harmless = /^-(?:\d|s|d|o|j|p|r|t|br|brief|c|color|stats|details|json|pretty|oneline|4|6|0|N|h|V)(?:=.*)?$/
  if (leading.some((word) => !harmless.test(valueOf(word) ?? ''))) return unclear('is not known with these options')
  const [object, verb, ...others] = first < 0 ? [] : words.slice(first)
  if (object === undefined || verb === undefined)
    return valueOf(object) === undefined && object !== undefined ? unclear('is not known') : READS
  const name = valueOf(verb)
  if (name === undefined || others.some(({ splits }) => splits)) return unclear('is not known before it runs')
  if (name !== '' && (isShort(name, 'show', 2) || isShort(name, 'list', 2) || isShort(name, 'lst', 2))) return READS
  if (isShort(valueOf(object) ?? '', 'route', 1) && name === 'get') return READS
  return /^(?:d|f)/.test(name) ? deletes('removes settings of the network') : changes('changes the network')
}

function isShort(text: string, whole: string, minimum: number): boolean {
  return text.length >= minimum && whole.startsWith(text)
}

/** Looking whether a port is open reads; anything else is a connection for who knows what. */
function checkNetcat(...[words]: Parameters<Check>): ReturnType<Check> {
  const check = readsOnlyWith(
    'z v n u 4 6',
    'w',
    2,
  )(words, { words, assignments: [], redirections: [], via: [], cwd: undefined, on: [], pipedFrom: undefined })
  const isScan = words.some((word) => /^-[a-z0-9]*z/.test(valueOf(word) ?? ''))
  return isScan ? check : unclear('may send or run anything')
}

const IPTABLES_CHANGES =
  'A append D delete I insert R replace F flush Z zero N new-chain X delete-chain P policy E rename-chain M modprobe'

function checkIptables(...[words, command]: Parameters<Check>): ReturnType<Check> {
  const check = readsExcept(IPTABLES_CHANGES, 't p s d i o j m', changes('changes the firewall'))(words, command)
  const isList = words.some((word) => /^(?:-[a-zA-Z]*[LS][a-z]*|--list.*)$/.test(valueOf(word) ?? ''))
  return check.class === 'read' && !isList ? changes('changes the firewall') : check
}

const opensslReads = new Set(
  's_client x509 verify version ciphers crl dgst asn1parse req pkcs12 rsa ec pkey list speed ocsp'.split(' '),
)

function checkOpenssl(...[words]: Parameters<Check>): ReturnType<Check> {
  const [command, ...others] = words.map(valueOf)
  if (command === undefined || !opensslReads.has(command)) return unclear('is not known to only read')
  // Whatever writes a file or loads code has one of these in its name.
  const risky =
    /^--?.*(?:out$|keyout|writerand|engine|provider|CAserial|CAcreateserial|keylogfile|sess_out|signature|set_serial|signkey|config|passout|respout|reqout)/
  const unknown = words.slice(1).some((word) => word.splits || (valueOf(word) === undefined && mayBeOption(word)))
  const isHarmless = !unknown && others.every((text) => text === '-noout' || !risky.test(text ?? ''))
  return isHarmless ? READS : unclear('may write a file or load code')
}
