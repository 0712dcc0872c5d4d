import { CmdopError, isMethodName, isRestMethod, methods, toCmdopError, type Transport } from '@cmdop/protocol'
import { type Caller, refreshCaller } from '../auth/authenticate.ts'
import { authorise } from '../auth/authorise.ts'
import type { Bus } from '../bus/bus.ts'
import type { Store } from '../store/store.ts'
import type { Gate } from './gate.ts'
import { Peer } from './peer.ts'
import type { RouteEnd } from './route.ts'

export interface ClientPeersOptions {
  readonly relayId: string
  readonly store: Store
  readonly bus: Bus
  readonly gate: Gate
  /** True once the relay takes no new calls. */
  isDraining(): boolean
}

/** Milliseconds; far more than it takes to look up a key. */
const REMEMBER_CHANGED_MS = 60_000

/** A client's connection, and who the caller is now. */
interface ClientConnection {
  readonly peer: Peer
  /** As it was looked up last; replaced when something behind it changes. */
  caller: Promise<Caller>
  /** Of the caller when the connection was made, and every one since. */
  ids: ReadonlySet<string>
  /** Stops the timer of its key's expiry. */
  stop: () => void
  /** The caller as it is then. Throws `auth` when it is no more. */
  readonly refresh: (caller: Caller) => Promise<Caller>
}

/** A connection of this relay's own. */
export interface OwnConnection {
  /** The other end answers the operator of a machine. */
  readonly asks?: boolean
  /** The caller as it is then. Default: as its key says. */
  readonly refresh?: ((caller: Caller) => Promise<Caller>) | undefined
}

/**
 * Connections of clients. When a key is revoked, a member removed or a role lowered, on whichever relay, the connections
 * of everybody whom it concerns lose at once what they may do no more: of keys, of the people behind them, and of what
 * acts for these.
 */
export class ClientPeers {
  readonly #options: ClientPeersOptions
  readonly #connections = new Map<Peer, ClientConnection>()
  /** Keys and principals that changed in the last minute, and when: who had looked one up before may come with it after. */
  readonly #changed = new Map<string, number>()
  readonly #stop: () => void
  #closed = false

  constructor(options: ClientPeersOptions) {
    this.#options = options
    this.#stop = options.bus.subscribe((message) => {
      if (message.type === 'key-revoked') this.#change(message.keyId)
      else if (message.type === 'principal-changed') this.#change(message.principalId)
    })
  }

  get peers(): Iterable<Peer> {
    return this.#connections.keys()
  }

  get size(): number {
    return this.#connections.size
  }

  accept(transport: Transport, caller: Caller, { asks = false, refresh }: OwnConnection = {}): Peer {
    const peer = new Peer(transport, {
      open: async (_peer, open, end) => {
        const { gate } = this.#options
        if (!asks && isRestMethod(open.method)) await gate.refuse(await connection.caller, open, overRest())
        if (this.#options.isDraining()) throw new CmdopError('unavailable', 'The relay is shutting down; nothing ran.')
        await gate.open(await connection.caller, open, end)
      },
    })
    const connection: ClientConnection = {
      peer,
      caller: Promise.resolve(caller),
      ids: caller.ids,
      stop: () => {},
      refresh: refresh ?? ((before) => refreshCaller(this.#options.store, before)),
    }
    this.#connections.set(peer, connection)
    peer.onClosed = () => {
      connection.stop()
      this.#connections.delete(peer)
    }
    this.#watchExpiry(connection, caller)
    peer.link.sendHello({ time: Date.now(), relayId: this.#options.relayId })
    if (this.#closed) peer.link.close(new CmdopError('unavailable', 'The relay is shutting down.'))
    if (Array.from(caller.ids).some((id) => this.#changed.has(id))) this.#refresh(connection)
    return peer
  }

  /** Who the caller of a connection is now. Throws `auth` when it may not be here any more. */
  async callerOf(peer: Peer): Promise<Caller> {
    const connection = this.#connections.get(peer)
    if (connection === undefined) throw new CmdopError('auth', 'The connection of the caller is over.')
    return connection.caller
  }

  /** Takes no connection any more. */
  close(): void {
    this.#closed = true
    this.#stop()
  }

  #change(changedId: string): void {
    const now = Date.now()
    for (const [id, at] of this.#changed) if (now - at > REMEMBER_CHANGED_MS) this.#changed.delete(id)
    this.#changed.set(changedId, now)
    for (const connection of this.#connections.values()) if (connection.ids.has(changedId)) this.#refresh(connection)
  }

  /** Calls that come meanwhile wait for who the caller is then; what runs and is allowed no more is ended. */
  #refresh(connection: ClientConnection): void {
    const { peer, caller: before } = connection
    const now = before.then(connection.refresh)
    connection.caller = now
    now.then(
      (caller) => {
        // Somebody has changed again, and is read again.
        if (connection.caller !== now || peer.link.isClosed) return
        connection.ids = caller.ids
        this.#watchExpiry(connection, caller)
        // A machine ends at once what is cancelled; anything else it may hold for a caller who comes back.
        const there = new CmdopError(
          'cancelled',
          `The role of the caller is ${caller.role} now, which may not do this.`,
        )
        const here = new CmdopError(
          'permission',
          `Your role is ${caller.role} now, which may not do this; it was ended.`,
        )
        peer.endSomeRoutes({ here, there }, (end) => !mayGoOn(caller, end))
      },
      (cause: unknown) => drop(peer, toCmdopError(cause, 'unavailable', 'The relay could not look up the key.')),
    )
  }

  #watchExpiry(connection: ClientConnection, { key }: Caller): void {
    connection.stop()
    const expired = () => drop(connection.peer, new CmdopError('auth', 'The API key has expired; ask for a new one.'))
    connection.stop = atExpiry(key.expiresAt, expired)
  }
}

function overRest(): CmdopError {
  return new CmdopError('unsupported', 'This is asked over HTTP: POST /api/machines/{id}/ask, or POST /api/approvals.')
}

/** Scopes of a key do not change, so the machine does not matter. */
function mayGoOn(caller: Caller, { method }: RouteEnd): boolean {
  if (method === undefined || !isMethodName(method)) return false
  return authorise(caller, methods[method].action, { fleetId: caller.fleetId, machine: 'any' }).allowed
}

/** What runs for it is ended too, and not left to go on for its `orphanMs`. */
function drop(peer: Peer, error: CmdopError): void {
  peer.endRoutes(new CmdopError('cancelled', `The caller may do nothing any more: ${error.message}`))
  peer.link.close(error)
}

/** Milliseconds a timer waits at most; Node takes more for none. */
const LONGEST_TIMER_MS = 2_147_483_647

/** Calls back when a key expires; the answer stops that. */
function atExpiry(expiresAt: string | null, expired: () => void): () => void {
  if (expiresAt === null) return () => {}
  let timer: NodeJS.Timeout
  const wait = () => {
    const leftMs = Date.parse(expiresAt) - Date.now()
    timer = setTimeout(
      () => (leftMs > LONGEST_TIMER_MS ? wait() : expired()),
      Math.min(leftMs, LONGEST_TIMER_MS),
    ).unref()
  }
  wait()
  return () => clearTimeout(timer)
}
