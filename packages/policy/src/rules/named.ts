import { type SimpleCommand, type Word, valueOf } from '../parse/simple-command.ts'
import { programName } from '../unwrap/program-name.ts'
import { hostOf } from '../unwrap/ssh.ts'
import { normalPath } from './paths.ts'

/** What a command names: paths or hosts. */
export interface Named {
  readonly known: readonly string[]
  /** Whether there may be others, which are not known before it runs. */
  readonly open: boolean
}

/** Programs whose first operands are no paths: a pattern, a script, rights, an owner. */
const BEFORE_PATHS: Readonly<Record<string, number>> = {
  grep: 1,
  egrep: 1,
  fgrep: 1,
  zgrep: 1,
  rg: 1,
  sed: 1,
  awk: 1,
  gawk: 1,
  jq: 1,
  chmod: 1,
  chown: 1,
  chgrp: 1,
  echo: Number.POSITIVE_INFINITY,
  printf: Number.POSITIVE_INFINITY,
}

/** Every path that a command may mean, for it is not known of each word whether it is one. */
export function pathsOf(command: SimpleCommand): Named {
  const known: string[] = []
  let open = command.on.length > 0
  const add = (path: string) => {
    const absolute = normalPath(path, command.cwd)
    if (absolute === undefined) open = true
    else known.push(absolute)
  }
  const addWord = (word: Word) => {
    for (const value of word.values ?? []) add(value)
    if (word.values !== undefined) return
    open = true
    // What begins with `/srv/data/` is in there, whatever comes after.
    if (word.start.startsWith('/')) add(word.start.slice(0, word.start.lastIndexOf('/') + 1))
  }
  let skip = BEFORE_PATHS[programName(command) ?? ''] ?? 0
  for (const word of command.words.slice(1)) {
    const text = valueOf(word) ?? word.start
    if (text.startsWith('-') && valueOf(word) !== undefined) {
      if (text.includes('/')) add(text.includes('=') ? text.slice(text.indexOf('=') + 1) : text.slice(2))
    } else if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) continue
    else if (skip > 0) skip -= 1
    else addWord(/^(?:if|of)=/.test(text) ? withoutPrefix(word) : word)
  }
  for (const { kind, target } of command.redirections) if (kind !== 'input') addWord(target)
  return { known, open }
}

/** `of=/dev/sda` of `dd`. */
function withoutPrefix(word: Word): Word {
  return { ...word, start: word.start.slice(3), values: word.values?.map((value) => value.slice(3)) }
}

/** Programs whose operands are hosts or addresses of the web. */
const TO_HOSTS = new Set(
  'curl wget ping ping6 nc ncat netcat telnet ftp sftp dig nslookup host whois traceroute mtr ssh-keyscan ssh-copy-id http https'.split(
    ' ',
  ),
)
/** Options of `curl` whose value is no host. */
const CURL_VALUES =
  /^-(?:[a-zA-Z]*[dXHomwAuFTbrE]|-(?:data(?:-\w+)?|request|header|output|max-time|write-out|user-agent|user|form|json|upload-file|cookie|range|cert|key|cacert|retry|connect-timeout))$/

const WITH_REMOTE_PATHS = new Set('scp rsync git'.split(' '))

/** Every host that a command may go to, or run on. */
export function hostsOf(command: SimpleCommand): Named {
  const known: string[] = [...command.on]
  let open = command.on.includes('*')
  const name = programName(command) ?? ''
  const [isClient, isCopy] = [TO_HOSTS.has(name), WITH_REMOTE_PATHS.has(name)]
  for (const [index, word] of command.words.entries()) {
    if (index === 0 || (name === 'curl' && CURL_VALUES.test(valueOf(command.words[index - 1]) ?? ''))) continue
    if (word.values === undefined) {
      const withHost = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]+[/?#]/i.test(word.start)
      if (withHost) known.push(hostOf(word.start))
      else open ||= isClient || isCopy
      continue
    }
    for (const text of word.values) {
      if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) known.push(hostOf(text))
      else if (isCopy && /^(?:[\w.-]+@)?[\w.-]+:/.test(text)) known.push(hostOf(text))
      else if (isClient && !text.startsWith('-') && /^[\w.@:[\]-]+(?:\/.*)?$/.test(text) && !/^\d+$/.test(text))
        known.push(hostOf(text))
    }
  }
  return { known, open }
}
