import { mayBeOption, valueOf } from '../../parse/simple-command.ts'
import { type CheckTable, alwaysChanges, each, readsOnly, readsWith, tool } from '../checks.ts'
import { type Check, READS, changes, deletes, unclear } from '../command-class.ts'
import { checkCurl, checkWget } from '../programs/downloads.ts'
import { checkOpenssl } from '../programs/openssl.ts'

const netcat = readsWith('-zvnu46 -w=', { maximum: 2, needs: 'z', otherwise: unclear('may send or run anything') })

const iptables = readsWith('-LSnvx46 -w? -t= --list --list-rules --numeric --verbose --exact --line-numbers --table=', {
  needs: 'L S list list-rules',
  otherwise: changes('changes the firewall'),
})

/** Programs of the network. */
export const networkTable: CheckTable = {
  ss: readsWith(
    '-nratloemtpiTsuwxSZb460OHQ -fAFN= --numeric --all --listening --options --extended --memory --processes --info --summary --ipv4 --ipv6 --tcp --udp --unix --no-header --oneline --family= --query=',
  ),
  ...each('ip bridge tc', checkIp),
  arp: readsWith('-anev -i=', { maximum: 1 }),
  ethtool: readsWith('-iSkgaclmnT', { maximum: 1 }),
  ifconfig: readsWith('-as', { maximum: 1 }),
  route: readsWith('-ne', { maximum: 0 }),
  iwconfig: readsWith('', { maximum: 1 }),
  ...each('nc ncat netcat', netcat),
  curl: checkCurl,
  wget: checkWget,
  ...each('iptables ip6tables iptables-legacy ip6tables-legacy', iptables),
  ...each('iptables-save ip6tables-save', readsWith('-c -t=')),
  ...each('iptables-restore ip6tables-restore', alwaysChanges('replaces the rules of the firewall')),
  nft: tool({
    options: '-ansjyNS --handle --numeric --json --stateless',
    // A semicolon ends the command, and begins another; so may a line, in a word that is not looked at.
    commands: {
      list: readsOnly(/^(?:-[ansj]+|\w[\w-]*)$/, unclear('may do more than list')),
      flush: alwaysChanges('empties the firewall'),
    },
  }),
  ufw: tool({
    commands: {
      status: readsOnlyOrNothing(/^(?:verbose|numbered)$/),
      show: readsOnly(/^(?:raw|listening|added|builtins|user-rules|before-rules|after-rules|logging-rules)$/),
    },
  }),
  'firewall-cmd': readsOnly(
    /^--(?:list-[a-z-]+|state|get-[a-z-]+|info-[a-z-]+=[\w.-]+|query-[a-z-]+(?:=[\w.:/-]+)?|zone=[\w.-]+|permanent)$/,
    changes('changes the firewall'),
  ),
  openssl: checkOpenssl,
  'ssh-keyscan': readsWith('-46H -ptT='),
  'ssh-add': readsWith('-lL', { maximum: 0, needs: 'l L' }),
  chronyc: tool({
    options: '-nc',
    commands: each('tracking sources sourcestats activity', readsWith('-v', { maximum: 0 })),
  }),
  ntpq: readsWith('-pn', { maximum: 1, needs: 'p' }),
  wg: tool({ commands: { show: readsOnlyOrNothing(/^\w[\w.-]*$/) } }),
  tailscale: tool({
    commands: {
      status: readsOnlyOrNothing(/^--?(?:json|peers|self|active)$/),
      ip: readsOnlyOrNothing(/^(?:-[146]|\w[\w.-]*)$/),
      ...each('netcheck version', readsOnlyOrNothing(/^--?(?:daemon|json|verbose)$/)),
    },
  }),
}

function readsOnlyOrNothing(pattern: RegExp): Check {
  const check = readsOnly(pattern)
  return (words, command) => (words.length === 0 ? READS : check(words, command))
}

/** `ip addr`, `ip -s link show eth0`: reads without a verb, and with one that shows. */
function checkIp(...[words]: Parameters<Check>): ReturnType<Check> {
  const first = words.findIndex((word) => !mayBeOption(word))
  const leading = first < 0 ? words : words.slice(0, first)
  const harmless = /^-(?:\d|s|d|o|j|p|r|t|br|brief|c|color|stats|details|json|pretty|oneline|N|h|V)(?:=\w*)?$/
  if (leading.some((word) => !harmless.test(valueOf(word) ?? ''))) return unclear('is not known with these options')
  const [object, verb, ...others] = first < 0 ? [] : words.slice(first)
  if (object === undefined || verb === undefined)
    return valueOf(object) === undefined && object !== undefined ? unclear('is not known') : READS
  const name = valueOf(verb)
  if (name === undefined || others.some(({ splits }) => splits)) return unclear('is not known before it runs')
  const isListing =
    isShort(name, 'show', 2) ||
    isShort(name, 'list', 2) ||
    isShort(name, 'lst', 2) ||
    (isShort(valueOf(object) ?? '', 'route', 1) && name === 'get')
  const isPlain = others.every((word) => /^[^-]/.test(valueOf(word) ?? word.start))
  if (isListing) return isPlain ? READS : unclear('is not known with these options')
  return /^(?:d|f)/.test(name) ? deletes('removes settings of the network') : changes('changes the network')
}

function isShort(text: string, whole: string, minimum: number): boolean {
  return text.length >= minimum && whole.startsWith(text)
}
