/** A host was refused by the system, at a step of starting or building it. Nothing ran. */
export class HostRefusal extends Error {
  readonly step: string
  /** Name of the error number, or what was found instead of what was planned. */
  readonly errno: string

  constructor(step: string, errno: string) {
    super(`The sandbox host failed at ${step}: ${errno}.`)
    this.name = 'HostRefusal'
    this.step = step
    this.errno = errno
  }
}

const texts: readonly (readonly [text: string, errno: string])[] = [
  ['Operation not permitted', 'EPERM'],
  ['Permission denied', 'EACCES'],
  ['No space left on device', 'ENOSPC'],
  ['Too many users', 'EUSERS'],
  ['Invalid argument', 'EINVAL'],
  ['ENOENT', 'ENOENT'],
  ['unrecognized option', 'EINVAL'],
]

/** What a host that is gone said at its end. */
export function refusalOf(said: string): HostRefusal {
  const line = said.trim().split('\n').at(-1) ?? ''
  const errno = texts.find(([text]) => said.includes(text))?.[1] ?? (line === '' ? 'it ended' : line.slice(0, 200))
  return new HostRefusal(said.includes('unshare') ? 'unshare' : 'start', errno)
}
