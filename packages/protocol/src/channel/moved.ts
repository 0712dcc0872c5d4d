import { CmdopError } from '../errors.ts'

/**
 * Says to a machine that it is in another fleet than the one whose calls it takes: what runs there ends, and it comes again as
 * a machine of that one. Its id goes over the wire in the sentence, as all that a closed connection says.
 */
export function movedTo(fleetId: string): CmdopError {
  return new CmdopError('moved', `This machine is in the fleet ${fleetId} now.`)
}

/** The fleet that {@link movedTo} names; undefined for every other error. */
export function fleetMovedTo({ code, message }: CmdopError): string | undefined {
  return code === 'moved' ? /^This machine is in the fleet ([\w-]{1,64}) now\.$/.exec(message)?.[1] : undefined
}
