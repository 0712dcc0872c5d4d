import { type SimpleCommand, type Word, valueOf } from '../parse/simple-command.ts'
import { optionTable, readLeading } from './options.ts'
import { joinedScript } from './shells.ts'
import { type Unwrapped, RUNS_NOTHING, runsUnknown } from './unwrapped.ts'

const sshOptions = optionTable(
  '4 6 A a C f G g K k M N n q s T t V v X x Y y',
  'B b c D E e F I i J L l m O o P p Q R S W w',
)

/** Options of ssh that only say how the connection is made. */
const sshHarmless = new Set('4 6 a C n q T t V v x k p l i J o c m B b G'.split(' '))

const sshSettings =
  /^(?:ConnectTimeout|BatchMode|StrictHostKeyChecking|LogLevel|ServerAlive(?:Interval|CountMax)|User|Port|ConnectionAttempts|PasswordAuthentication|PreferredAuthentications|PubkeyAuthentication|IdentitiesOnly|IdentityFile|HostKeyAlgorithms|Compression|RequestTTY|AddressFamily|GSSAPIAuthentication|NumberOfPasswordPrompts)[= ]/i

/** `ssh host command`: the remote shell runs the words, put together with blanks. */
export function unwrapSsh(command: SimpleCommand): Unwrapped {
  const before = readLeading(command.words.slice(1), sshOptions)
  if (before.unknown !== undefined) return runsUnknown(before.unknown)
  const [host, ...afterHost] = before.rest
  // Options may stand after the host, too.
  const after = readLeading(afterHost, sshOptions)
  if (after.unknown !== undefined && valueOf(afterHost[0])?.startsWith('-') !== false) return runsUnknown(after.unknown)
  const options = [...before.options, ...after.options]
  const risky = options.find(
    ({ name, value }) =>
      !sshHarmless.has(name) || (name === 'o' && !sshSettings.test(valueOf(value) ?? '')) || isMissing(name, value),
  )
  if (risky !== undefined) return runsUnknown(`its option -${risky.name} may run something or change where it goes`)
  if (host === undefined) return options.some(({ name }) => name === 'V') ? RUNS_NOTHING : runsUnknown('it has no host')
  if (after.rest.length === 0) return runsUnknown('it opens a shell on another machine')
  const on = host.values?.map(hostOf) ?? ['*']
  return joinedScript(command, after.rest, on)
}

function isMissing(name: string, value: Word | undefined): boolean {
  return sshOptions.values.has(name) && (value === undefined || (value.values === undefined && value.splits))
}

/** The host of `user@host`, `ssh://user@host:port` and `host:path`. */
export function hostOf(text: string): string {
  const withoutScheme = text.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '')
  const authority = withoutScheme.split('/')[0] ?? ''
  const withoutUser = authority.slice(authority.lastIndexOf('@') + 1)
  return (/^\[([^\]]*)\]/.exec(withoutUser)?.[1] ?? /^[^:/?#]*/.exec(withoutUser)?.[0] ?? '').toLowerCase()
}
