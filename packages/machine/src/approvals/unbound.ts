import { CmdopError } from '@cmdop/protocol'

/** What cannot be bound to a hash before it runs, and so not be approved. */
export function unbound(message: string): CmdopError {
  return new CmdopError('unsupported', message)
}
