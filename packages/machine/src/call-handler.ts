import { type Channel, CmdopError, type MethodName, methods, type Permit } from '@cmdop/protocol'
import { z } from 'zod'

/** Serves one method: accepts the channel and ends it. Throwing resets it. */
type Handler<Name extends MethodName, Caller> = (
  channel: Channel,
  params: z.output<(typeof methods)[Name]['params']>,
  caller: Caller,
) => Promise<void> | void

/** What is served of the methods; the others are `unsupported`. `Caller` is what a handler has to know of who asks. */
export type Handlers<Caller = Permit> = { readonly [Name in MethodName]?: Handler<Name, Caller> }

/** Hands a channel to the handler of its method. Throws `validation` for parameters that are none of it. */
export async function callHandler<Caller>(
  handlers: Handlers<Caller>,
  method: MethodName,
  { channel, caller }: { channel: Channel; caller: Caller },
): Promise<void> {
  const params = methods[method].params.safeParse(channel.open.params)
  if (!params.success) {
    throw new CmdopError('validation', `The parameters of ${method} are not valid: ${z.prettifyError(params.error)}`)
  }
  const handler = handlers[method] as
    | ((channel: Channel, params: unknown, caller: Caller) => Promise<void> | void)
    | undefined
  if (handler === undefined) throw new CmdopError('unsupported', `This daemon does not serve ${method}.`)
  await handler(channel, params.data, caller)
}
