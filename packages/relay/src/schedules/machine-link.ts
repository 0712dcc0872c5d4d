import { type Channel, Connection, createMemoryTransports, type MethodName } from '@cmdop/protocol'
import type { Caller } from '../auth/authenticate.ts'
import type { ClientPeers } from '../channel/clients.ts'

/** A call to a machine. */
export interface LinkCall {
  readonly method: MethodName
  readonly target: string
  readonly callId: string
  readonly params: Record<string, unknown>
  readonly deadlineMs?: number
}

/** This relay as a client of itself, for the commands of one run. Disposing it leaves what runs to whoever asks for it next. */
export interface MachineLink extends AsyncDisposable {
  /** Opens a call; the gate decides about it as about any other. Rejects with its refusal. */
  open(call: LinkCall): Promise<Channel>
}

/** One connection in memory. `refresh` gives the caller as it is then; what it may do no more ends at once. */
export async function openLink(
  clients: ClientPeers,
  caller: Caller,
  refresh: () => Promise<Caller>,
): Promise<MachineLink> {
  const [near, far] = createMemoryTransports()
  clients.accept(far, caller, { refresh })
  const connection = new Connection(near, { role: 'dialer', hello: () => ({}) })
  await connection.ready
  return {
    open: async (call) => {
      const channel = connection.open(call)
      // That it has started is of no use here; it is no output.
      channel.onControl = () => {}
      await channel.accepted
      return channel
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  }
}
