import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Channel, Connection, createMemoryTransports, type Open } from '@cmdop/protocol'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CallTable } from './exec/call-table.ts'
import { createFileService } from './files/file-handlers.ts'
import { PermitChecker } from './permit-checker.ts'
import { Restricted } from './restricted/restricted.ts'
import { RestrictedCommands } from './restricted/restricted-commands.ts'
import { createChannelServer } from './serve-channel.ts'
import type { Recorder } from './recordings/recorder.ts'
import { nodePtyHost } from './sessions/pty/node-pty.ts'
import { SessionTable } from './sessions/session-table.ts'
import { createTestApprovals } from './testing/test-approvals.ts'
import { createTestRecorder } from './testing/test-recorder.ts'
import { createTestRelay } from './testing/test-relay.ts'

const relay = createTestRelay()
let folder = ''
let calls: CallTable
let sessions: SessionTable
let recorder: Recorder
let connection: Connection
/** Milliseconds by which the daemon's clock is ahead. */
let aheadMs = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmdop-serve-'))
  const log = pino({ level: 'silent' })
  const environment = { PATH: process.env['PATH'] ?? '' }
  recorder = createTestRecorder(folder)
  const shared = { machineId: 'mch_one', environment, home: folder, recorder, log }
  const restricted = new Restricted({ dataDir: join(folder, 'daemon'), log })
  sessions = new SessionTable({ ...shared, folder: join(folder, 'sessions'), ptys: nodePtyHost, restricted })
  const commands = new RestrictedCommands({ restricted, sessions, settings: shared })
  calls = new CallTable({
    ...shared,
    folder: join(folder, 'calls'),
    sessions,
    restricted: commands,
    now: () => Date.now() + aheadMs,
  })
  const files = createFileService(join(folder, 'uploads'))
  const permits = new PermitChecker(relay.options)
  const approvals = createTestApprovals(relay.options, folder)
  const onChannel = createChannelServer({ permits, approvals, calls, files, sessions, restricted, log })
  const [near, far] = createMemoryTransports()
  connection = new Connection(near, { role: 'acceptor', hello: () => ({}) })
  void new Connection(far, { role: 'dialer', hello: () => ({}), onChannel })
  await connection.ready
})
afterAll(async () => {
  await connection[Symbol.asyncDispose]()
  await calls.close()
  await sessions.close()
  await recorder.close()
  await rm(folder, { recursive: true })
})

const open = (call: Open) => {
  const { window: _, ...rest } = call
  return connection.open(rest)
}
const touch = { params: { command: 'touch ran' } }

/** What the machine refuses the call with. */
async function refused(call: Open): Promise<unknown> {
  return open(call).accepted.then(
    () => 'accepted',
    (error: unknown) => error,
  )
}

describe('a daemon', () => {
  test('runs nothing without a permit, or with one that is not for this', async () => {
    const { permit: _, ...bare } = relay.signed(touch)
    expect(await refused(bare)).toMatchObject({ code: 'permit' })
    expect(await refused(createTestRelay().signed(touch))).toMatchObject({ code: 'permit' })
    expect(await refused({ ...relay.signed({}), ...touch })).toMatchObject({ code: 'permit' })
    expect(await refused(relay.signed(touch, { machineId: 'mch_two' }))).toMatchObject({ code: 'permit' })
    expect(await refused(relay.signed(touch, { expiresAt: 1 }))).toMatchObject({ code: 'permit' })
    expect(await readdir(folder)).not.toContain('ran')
    expect(await readFile(join(folder, 'calls', 'journal.jsonl'), 'utf8')).not.toContain('begin')
  })

  test('gives files, directories and facts to nobody without a permit either', async () => {
    for (const method of ['facts', 'file.read', 'file.list', 'exec.attach']) {
      const { permit: _, ...bare } = relay.signed({ method, params: { path: '/', offset: 0 } })
      expect(await refused(bare)).toMatchObject({ code: 'permit' })
    }
  })

  test('runs a permitted command once, and gives back its result', async () => {
    const call = relay.signed({ params: { command: 'echo out; echo x >> ran; exit 5' } })
    const channel = open(call)
    expect(await content(channel)).toBe('out\n')
    expect(await channel.finished).toMatchObject({ reason: 'exited', exitCode: 5 })
    await channel.end()
    expect(await refused(call)).toMatchObject({ code: 'permit' })
    // The same call with a permit of its own is still the same call.
    expect(await refused(relay.signed({ ...call }))).toMatchObject({ code: 'conflict' })
    expect(await readdir(folder)).toContain('ran')
  })

  test('starts nothing from the instant on by which it had to begin, by its own look at the clock', async () => {
    const notAfter = new Date(Date.now() + 60_000).toISOString()
    const call = (name: string) => relay.signed({ params: { command: `touch ${name}`, notAfter, keepResult: true } })
    const inTime = open(call('in-time'))
    expect(await content(inTime)).toBe('')
    expect(await inTime.finished).toMatchObject({ exitCode: 0 })
    await inTime.end()
    aheadMs = 61_000
    expect(await refused(call('late'))).toMatchObject({ code: 'expired', details: { notAfter } })
    aheadMs = 0
    expect(await readdir(folder)).toContain('in-time')
    expect(await readdir(folder)).not.toContain('late')
  })

  test('refuses parameters of another shape, and methods it does not know', async () => {
    expect(await refused(relay.signed({ params: { command: 7 } }))).toMatchObject({ code: 'validation' })
    expect(await refused(relay.signed({ params: { command: 'x', more: 1 } }))).toMatchObject({ code: 'validation' })
    expect(await refused(relay.signed({ method: 'reboot' }))).toMatchObject({ code: 'unsupported' })
    expect(await refused(relay.signed({ method: 'toString' }))).toMatchObject({ code: 'unsupported' })
  })

  test('refuses stdin that was not announced', async () => {
    const channel = open(relay.signed({ params: { command: 'sleep 1000', orphanMs: 0 } }))
    await channel.accepted
    await channel.send(1, Buffer.from('unasked'))
    await expect(channel.over).rejects.toMatchObject({ code: 'protocol' })
  })

  test('reads a part of a file and says how large it is', async () => {
    await writeFile(join(folder, 'file'), 'abcdefgh')
    const params = { path: join(folder, 'file'), offset: 2, length: 3 }
    const channel = open(relay.signed({ method: 'file.read', params }))
    expect(await content(channel)).toBe('cde')
    expect(await channel.finished).toMatchObject({ size: 8, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) })
  })
})

async function content(channel: Channel): Promise<string> {
  channel.onControl = () => {}
  const parts: Uint8Array[] = []
  for await (const { data } of channel) parts.push(data)
  return Buffer.concat(parts).toString()
}
