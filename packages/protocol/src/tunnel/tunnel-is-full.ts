import { CmdopError } from '../errors.ts'

/** The refusal of a connection beyond those that a tunnel may have at once: of the relay, or of the machine, which sees all of them. */
export function tunnelIsFull(maxConnections: number): CmdopError {
  return new CmdopError('rate_limit', `The tunnel has ${maxConnections} connections, as many as it may; try later.`)
}
