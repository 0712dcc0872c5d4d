import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Channel, Connection, createMemoryTransports, type MethodName, type Open } from '@cmdop/protocol'
import { pino } from 'pino'
import { createFileService, type FileService } from '../files/file-handlers.ts'
import { PermitChecker } from '../permit-checker.ts'
import type { FilePlaces } from '../restricted/file-places.ts'
import { serveHandlers } from '../serve-channel.ts'
import { createTestApprovals } from './test-approvals.ts'
import { createTestRelay } from './test-relay.ts'

/** A daemon that serves files, and a peer that asks it. */
export interface FileWorld extends AsyncDisposable {
  /** A new folder; the daemon's own are not in it. */
  readonly folder: string
  /** The daemon's notes of what is half-written. */
  readonly notes: string
  readonly files: FileService
  open(method: MethodName, params: Record<string, unknown>, options?: Partial<Open>): Channel
  /** The one JSON answer; what the channel ended with where there is none. Rejects with what the machine refuses. */
  ask(method: MethodName, params: Record<string, unknown>): Promise<unknown>
  /** Content of a channel, and how it ended. */
  read(channel: Channel): Promise<{ data: Buffer; end: unknown }>
  /** Ends the connection; the next call has a new one. */
  cut(): Promise<void>
}

/** Starts one. `places` are where calls work that name a session. */
export async function startFileWorld(places?: FilePlaces): Promise<FileWorld> {
  const base = await mkdtemp(join(tmpdir(), 'cmdop-files-'))
  const folder = await mkdtemp(join(base, 'files-'))
  const notes = join(base, 'notes')
  const relay = createTestRelay()
  const log = pino({ level: 'silent' })
  const files = createFileService(notes, places)
  const connect = async () => {
    const permits = new PermitChecker(relay.options)
    const approvals = createTestApprovals(relay.options, base)
    const onChannel = serveHandlers(files.handlers, { permits, approvals, log })
    const [near, far] = createMemoryTransports()
    const connection = new Connection(near, { role: 'acceptor', hello: () => ({}) })
    void new Connection(far, { role: 'dialer', hello: () => ({}), onChannel })
    await connection.ready
    return connection
  }
  let connection = await connect()
  const open: FileWorld['open'] = (method, params, options = {}) => {
    const { window: _, ...call } = relay.signed({ method, params, ...options })
    return connection.open(call)
  }
  const read: FileWorld['read'] = async (channel) => {
    channel.onControl ??= () => {}
    const parts: Uint8Array[] = []
    for await (const { data } of channel) parts.push(data)
    const end = await channel.finished
    await channel.end()
    return { data: Buffer.concat(parts), end }
  }
  return {
    folder,
    notes,
    files,
    open,
    read,
    ask: async (method, params) => {
      const { data, end } = await read(open(method, params))
      return data.length === 0 ? end : (JSON.parse(data.toString()) as unknown)
    },
    cut: async () => {
      await connection[Symbol.asyncDispose]()
      connection = await connect()
    },
    [Symbol.asyncDispose]: async () => {
      await connection[Symbol.asyncDispose]()
      await files.close()
      await rm(base, { recursive: true, force: true })
    },
  }
}
