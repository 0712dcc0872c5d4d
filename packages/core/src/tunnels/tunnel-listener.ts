import { type ByteStream, CmdopError, type DialTunnelOptions, dialTunnel, TunnelConnectParams } from '@cmdop/protocol'
import { newCallId } from '../answers.ts'
import type { Channels } from '../channels.ts'
import { HeldTunnels } from './held-tunnels.ts'

/** Where connections go. */
export interface ForwardTarget {
  /** Id of the machine. */
  readonly machineId: string
  /** The tunnel that they belong to, whose host and port these are; absent for a forward of your own. */
  readonly tunnelId?: string | undefined
  /** Where the port is, as seen from the machine. Default: 127.0.0.1. */
  readonly host?: string | undefined
  readonly port: number
  /** Milliseconds without a byte, after which a connection is ended. Default: two hours. */
  readonly idleMs?: number | undefined
  /** Milliseconds for which the machine keeps a connection whose way is lost. Default: 30 s. */
  readonly orphanMs?: number | undefined
  /** Whether connections that follow one another closely are prepared for, see `docs/tunnels.md`. Default: true. */
  readonly prepare?: boolean | undefined
}

export interface ListenOptions {
  /** Port on this computer; 0, the default, is any free one. */
  readonly localPort?: number | undefined
  /** Address on this computer. Default: 127.0.0.1. Whoever reaches it goes through the tunnel with your key. */
  readonly localHost?: string | undefined
  /** A connection failed, or was broken off; the listener goes on. */
  readonly onError?: ((error: CmdopError) => void) | undefined
  /** Stops listening, and breaks off what is open. */
  readonly signal?: AbortSignal | undefined
}

/** A port on this computer that leads to a port of a machine. It outlives connections, of the client and of the machine. */
export interface TunnelListener extends AsyncDisposable {
  /** Address and port on this computer. */
  readonly host: string
  readonly port: number
  /** Connections that are open now. */
  readonly connections: number
  /** Resolves when it listens no more. */
  readonly closed: Promise<void>
  /** Stops listening, and breaks off what is open. Idempotent. */
  close(): Promise<void>
}

/** Takes connections on this computer, as a platform does that can. */
export type Listen = (
  address: { readonly host: string; readonly port: number },
  accept: (stream: ByteStream) => void,
) => Promise<{ readonly host: string; readonly port: number; close(): Promise<void> }>

/** Listens on this computer; each connection goes to the target through a channel of its own. Throws `config` when the port is taken. */
export async function startTunnelListener(
  { channels, listen }: { readonly channels: Channels; readonly listen: Listen },
  { machineId: target, prepare: isPrepared = true, ...given }: ForwardTarget,
  { localPort = 0, localHost = '127.0.0.1', onError, signal }: ListenOptions,
): Promise<TunnelListener> {
  const connect = connectParams(given)
  if (signal?.aborted === true) throw new CmdopError('cancelled', 'The call was cancelled before it began.')
  const closing = new AbortController()
  const open = new Set<Promise<void>>()
  const openChannel: DialTunnelOptions['open'] = (call, prepare) =>
    channels.open({ ...call, target, signal: closing.signal }, prepare)
  const held = new HeldTunnels({ connect, open: openChannel })
  const accept = (stream: ByteStream) => {
    const carried = dialTunnel(stream, {
      connect,
      newCallId,
      open: openChannel,
      held: isPrepared ? held.take() : undefined,
      signal: closing.signal,
    })
      .then(({ error }) => (error === undefined || closing.signal.aborted ? undefined : onError?.(error)))
      .finally(() => open.delete(carried))
    open.add(carried)
  }
  const listening = await listen({ host: localHost, port: localPort }, accept)
  const { host, port } = listening
  const closed = Promise.withResolvers<void>()
  let isClosing = false
  const close = async () => {
    if (!isClosing) {
      isClosing = true
      signal?.removeEventListener('abort', abort)
      channels.closing.removeEventListener('abort', abort)
      closing.abort(new CmdopError('cancelled', 'The listener was closed.'))
      held.close()
      await Promise.all([listening.close(), ...open])
      closed.resolve()
    }
    await closed.promise
  }
  const abort = () => void close()
  signal?.addEventListener('abort', abort, { once: true })
  channels.closing.addEventListener('abort', abort, { once: true })
  if ([signal, channels.closing].some((each) => each?.aborted)) abort()
  return {
    host,
    port,
    get connections() {
      return open.size
    },
    closed: closed.promise,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function connectParams(given: Omit<ForwardTarget, 'machineId' | 'prepare'>): TunnelConnectParams {
  const parsed = TunnelConnectParams.safeParse(given)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new CmdopError(
    'validation',
    `Expected a host and a port to connect to: ${issue?.path.join('.')}: ${issue?.message}`,
  )
}
