import { lookup } from 'node:dns'
import { connect, isIP, type LookupFunction, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { CmdopError, errnoOf, isCmdopError, type TunnelConnectParams } from '@cmdop/protocol'
import type { RefusedAddresses } from './refused-addresses.ts'

/** Milliseconds in which a target has to take the connection, its TLS included. */
const DIAL_WITHIN_MS = 10_000

/** Bytes that are read at once, and wait to be written: what is small costs more for each. */
const SOCKET_BYTES = 256 * 1024

/** What is dialled. */
export type Target = Pick<TunnelConnectParams, 'host' | 'port' | 'tls'>

/**
 * A connection to a target, as seen from this machine. What the name resolves to is what is judged and what is dialled. Throws `permission`
 * for an address that is refused, `unavailable` when nothing takes the connection there, and `cancelled`.
 */
export async function dialTarget(target: Target, refused: RefusedAddresses, signal: AbortSignal): Promise<Socket> {
  const { host, port, tls } = target
  if (isIP(host) !== 0) refused.check(host)
  const plain = connect({
    host,
    port,
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    highWaterMark: SOCKET_BYTES,
    lookup: checkedLookup(refused),
  } as Parameters<typeof connect>[0] & object)
  try {
    await opened(plain, 'connect', target, signal)
    refused.check(plain.remoteAddress ?? '')
    if (tls === undefined) return plain
    const { serverName: name = host, insecure } = tls
    // An address is no name to ask for, but the certificate has to be for it.
    const named = isIP(name) === 0 ? { servername: name } : {}
    const secure = connectTls({ socket: plain, host: name, rejectUnauthorized: !insecure, ...named })
    await opened(secure, 'secureConnect', target, signal)
    return secure
  } catch (error) {
    plain.destroy()
    throw error
  }
}

/** Resolves once the socket is open; what goes wrong is said for the target. */
async function opened(
  socket: Socket,
  event: 'connect' | 'secureConnect',
  target: Target,
  signal: AbortSignal,
): Promise<void> {
  const done = Promise.withResolvers<void>()
  const fail = (error: Error) => done.reject(dialError(target, error))
  const stop = () => done.reject(new CmdopError('cancelled', 'The connection was given up while it was made.'))
  const timer = setTimeout(() => fail(new Error(`no answer within ${DIAL_WITHIN_MS} ms`)), DIAL_WITHIN_MS)
  socket.once(event, done.resolve)
  // It stays: what fails while nobody listens would end the daemon.
  socket.on('error', fail)
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  try {
    await done.promise
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
  }
}

/** Resolves names only where every address of theirs may be reached. */
function checkedLookup(refused: RefusedAddresses): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, '', 0)
      try {
        for (const { address } of addresses) refused.check(address)
      } catch (cause) {
        return callback(cause as NodeJS.ErrnoException, '', 0)
      }
      const [first] = addresses
      if (options.all === true || first === undefined) return callback(null, addresses)
      callback(null, first.address, first.family)
    })
  }
}

function dialError({ host, port }: Target, error: Error): CmdopError {
  if (isCmdopError(error)) return error
  const why = errnoOf(error) ?? error.message
  return new CmdopError('unavailable', `The machine cannot connect to ${host}:${port} (${why}); is it running there?`, {
    cause: error,
    details: { reason: why },
  })
}
