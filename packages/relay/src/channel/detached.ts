import { CmdopError } from '@cmdop/protocol'

/** The error of what ran on a machine that the fleet of its caller uses no more. A machine ends at once what is cancelled. */
export function detached(): CmdopError {
  return new CmdopError('cancelled', 'Your fleet uses this machine no more; what ran there was ended.')
}
