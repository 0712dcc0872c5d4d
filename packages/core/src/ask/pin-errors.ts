import { CmdopError, fromWireError, type WireError } from '@cmdop/protocol'

/** The machine refused the PIN: it was wrong, or too many were. Not worth another try with the same one. */
export class PinDeniedError extends CmdopError {
  override readonly name = 'PinDeniedError'
}

/** The machine asked for its PIN and got none in time. */
export class PinTimeoutError extends CmdopError {
  override readonly name = 'PinTimeoutError'
}

/** What an ask failed with. */
export function askError(wire: WireError): CmdopError {
  const { code, message, details } = fromWireError(wire, { idempotent: false })
  if (code === 'pin_denied') return new PinDeniedError(code, message, { details })
  if (code === 'pin_required_timeout') return new PinTimeoutError(code, message, { details })
  return fromWireError(wire, { idempotent: false })
}
