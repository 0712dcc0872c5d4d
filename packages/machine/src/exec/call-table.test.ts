import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CmdopError, Connection, createMemoryTransports, RememberedFor, RememberedSince } from '@cmdop/protocol'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createFileService } from '../files/file-handlers.ts'
import { PermitChecker } from '../permit-checker.ts'
import { Restricted } from '../restricted/restricted.ts'
import { RestrictedCommands } from '../restricted/restricted-commands.ts'
import { createChannelServer } from '../serve-channel.ts'
import { nodePtyHost } from '../sessions/pty/node-pty.ts'
import { SessionTable } from '../sessions/session-table.ts'
import { createTestApprovals } from '../testing/test-approvals.ts'
import { createTestRecorder } from '../testing/test-recorder.ts'
import { createTestRelay } from '../testing/test-relay.ts'
import { CallTable } from './call-table.ts'

const relay = createTestRelay()
const log = pino({ level: 'silent' })
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmdop-calls-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** As if it had been there for an hour. */
const remembersAnHour = () =>
  writeFile(join(folder, 'calls-results', 'remembered-since'), String(Date.now() - 3_600_000))

/** A daemon's calls, at a start of its machine. */
async function startCalls(boot: string) {
  const recorder = createTestRecorder(folder)
  const environment = { PATH: process.env['PATH'] ?? '' }
  const shared = { machineId: 'mch_one', environment, home: folder, recorder, log }
  const restricted = new Restricted({ dataDir: join(folder, 'daemon'), log })
  const sessions = new SessionTable({ ...shared, folder: join(folder, 'sessions'), ptys: nodePtyHost, restricted })
  const commands = new RestrictedCommands({ restricted, sessions, settings: shared })
  const calls = new CallTable({
    ...shared,
    folder: join(folder, 'calls'),
    sessions,
    restricted: commands,
    now: Date.now,
    boot,
  })
  await calls.endLeftovers()
  const permits = new PermitChecker(relay.options)
  const approvals = createTestApprovals(relay.options, folder)
  const files = createFileService(join(folder, 'uploads'))
  const onChannel = createChannelServer({ permits, approvals, calls, files, sessions, restricted, log })
  const [near, far] = createMemoryTransports()
  const connection = new Connection(near, { role: 'acceptor', hello: () => ({}) })
  void new Connection(far, { role: 'dialer', hello: () => ({}), onChannel })
  await connection.ready
  const send = (call: Parameters<typeof relay.signed>[0]) => connection.open(relay.signed(call))
  return {
    run: async (callId: string, command: string) => {
      const channel = send({ callId, params: { command, keepResult: true } })
      for await (const _ of channel);
      await channel.finished
      await channel.end()
    },
    refused: async (callId: string, method: 'exec.result' | 'exec.attach') => {
      const params = method === 'exec.attach' ? { offset: 0 } : {}
      return send({ callId, method, params }).accepted.then(
        () => expect.fail('It is known.'),
        (error: CmdopError) => error,
      )
    },
    close: async () => {
      await connection[Symbol.asyncDispose]()
      await calls.close()
      await sessions.close()
      await recorder.close()
    },
  }
}

test('a daemon that was stopped remembers what it did, whatever start of the machine follows', async () => {
  const first = await startCalls('one')
  await first.run('call_known', 'true')
  await first.close()
  await remembersAnHour()
  const second = await startCalls('two')
  const { code, details } = await second.refused('call_other', 'exec.result')
  expect(code).toBe('not_found')
  expect(Date.parse(RememberedSince.parse(details).rememberedSince)).toBeLessThan(Date.now() - 3_500_000)
  await second.close()
})

test('a daemon on a machine that crashed says that it may not know of calls before that', async () => {
  const first = await startCalls('one')
  await first.run('call_known', 'true')
  await first.close()
  await remembersAnHour()
  // As if it had not come to its end.
  const journal = join(folder, 'calls', 'journal.jsonl')
  await writeFile(journal, (await readFile(journal, 'utf8')).replace(/\n\{"closed":true\}$/, ''))
  const crashedAt = Date.now()
  const second = await startCalls('two')
  const asked = await second.refused('call_other', 'exec.result')
  expect(Date.parse(RememberedSince.parse(asked.details).rememberedSince)).toBeGreaterThan(crashedAt - 1500)
  const attached = await second.refused('call_other', 'exec.attach')
  expect(RememberedFor.parse(attached.details).rememberedForMs).toBeLessThan(Date.now() - crashedAt + 1500)
  await second.close()
  // What it has said holds for the next one, too.
  const third = await startCalls('two')
  const later = await third.refused('call_other', 'exec.result')
  expect(Date.parse(RememberedSince.parse(later.details).rememberedSince)).toBeGreaterThan(crashedAt - 1500)
  await third.close()
})

test('a daemon whose journal is gone does not claim to know everything', async () => {
  const first = await startCalls('one')
  await first.close()
  await remembersAnHour()
  await rm(join(folder, 'calls', 'journal.jsonl'))
  const goneAt = Date.now()
  const second = await startCalls('one')
  const { details } = await second.refused('call_other', 'exec.result')
  expect(Date.parse(RememberedSince.parse(details).rememberedSince)).toBeGreaterThan(goneAt - 1500)
  await second.close()
})
