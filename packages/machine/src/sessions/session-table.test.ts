import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SessionInfo } from '@cmdop/protocol'
import { describe, expect, test } from 'vitest'
import { startSessionWorld } from '../testing/session-world.ts'
import { temporaryFolder } from '../testing/temporary-folder.ts'
import { SessionJournal } from './session-journal.ts'

describe('the sessions of a daemon', () => {
  test('that stops end as lost, and who is attached is told', async () => {
    await using world = await startSessionWorld()
    const { sessionId } = await world.open()
    const operator = await world.attach(sessionId)
    const observer = await world.observe(sessionId)
    await Promise.all([
      world.sessions.close(),
      expect(operator.end()).resolves.toMatchObject({ state: 'lost', endReason: 'lost' }),
      expect(observer.end()).resolves.toMatchObject({ state: 'lost', endReason: 'lost' }),
    ])
    await expect(world.open()).rejects.toMatchObject({ code: 'unavailable' })
    await expect(world.attach(sessionId)).rejects.toMatchObject({ code: 'session_lost' })
  })

  test('that was killed are ended and lost at the next start, and can be told from those never known', async () => {
    await using world = await startSessionWorld()
    const { sessionId, pid } = await world.open({ name: 'left' })
    const operator = await world.attach(sessionId)
    await operator.type('trap "" HUP; echo rea""dy\n')
    await operator.shows('ready')
    // A second table on the folder of the first one, which does not know that it is no longer the daemon's.
    const next = world.another()
    await next.endLeftovers()
    await expect(readFile(`/proc/${pid}/environ`, 'latin1')).rejects.toMatchObject({ code: expect.any(String) })
    expect(await next.list({ ended: true })).toMatchObject([
      { sessionId, name: 'left', state: 'lost', endReason: 'lost' },
    ])
    expect(await next.list({ ended: false })).toEqual([])
    await expect(next.find(sessionId)).rejects.toMatchObject({ code: 'session_lost' })
    await expect(next.find('call_never_known')).rejects.toMatchObject({ code: 'not_found' })
    await next.close()
  })
})

describe('a session that', () => {
  test('is over is no longer read once 32 later ones are over, but still known', async () => {
    await using world = await startSessionWorld()
    const ids: string[] = []
    for (let count = 0; count < 33; count += 1) {
      const { sessionId } = await world.open({ kind: 'run' })
      await world.ask('session.close', { sessionId })
      ids.push(sessionId)
    }
    const [first = '', second = ''] = ids
    await expect(world.sessions.find(first)).rejects.toMatchObject({ code: 'session_ended' })
    expect((await world.sessions.find(second)).id).toBe(second)
    expect(await world.ask('session.get', { sessionId: first })).toMatchObject({ state: 'ended', endReason: 'closed' })
    const all = await world.sessions.list({ ended: true })
    expect(all.map(({ sessionId }) => sessionId).toSorted()).toEqual(ids.toSorted())
  })

  test('cannot be written to the journal does not begin, and its recording is over', async () => {
    await using world = await startSessionWorld()
    const running = join(world.dataDir, 'sessions', 'running')
    await rm(running, { recursive: true })
    const callId = 'call_unwritten'
    await expect(world.open({}, { callId })).rejects.toMatchObject({ code: 'server' })
    // Only one that is over has a manifest.
    expect((await readdir(join(world.folder, 'recordings'))).filter((name) => name.endsWith('.json'))).toHaveLength(1)
    await mkdir(running)
    expect(await world.open({}, { callId })).toMatchObject({ state: 'running' })
  })

  test('shows what an AI operator does is not opened to pause when it cannot be recorded', async () => {
    await using world = await startSessionWorld()
    const open = world.open({ kind: 'run', onRecordingFailure: 'pause' })
    await expect(open).rejects.toMatchObject({ code: 'validation' })
  })
})

describe('a journal of sessions', () => {
  test('keeps the latest 100 that are over, and none that cannot be read', async () => {
    await using folder = await temporaryFolder()
    const journal = new SessionJournal(folder.path)
    for (let count = 0; count < 103; count += 1) journal.end(info(`call_${count + 1000}`))
    const over = journal.over()
    expect(over).toHaveLength(100)
    expect(journal.over()).toHaveLength(100)
    await writeFile(join(folder.path, 'over', 'call_broken.json'), '{')
    await writeFile(join(folder.path, 'running', 'call_broken.json'), '{')
    expect(journal.over().every(({ sessionId }) => sessionId !== 'call_broken')).toBe(true)
    expect(journal.left()).toEqual([{ sessionId: 'call_broken', info: undefined }])
  })
})

function info(sessionId: string): SessionInfo {
  const now = new Date().toISOString()
  return SessionInfo.parse({
    sessionId,
    name: 'sh',
    kind: 'terminal',
    state: 'ended',
    shell: '/bin/sh',
    pid: 1,
    cwd: '/',
    size: { columns: 80, rows: 24 },
    createdBy: { principalId: 'prn_one', principalKind: 'human', name: 'One' },
    createdAt: now,
    lastActiveAt: now,
    endedAt: now,
    endReason: 'exited',
    exitCode: 0,
    signal: null,
    lease: null,
    operators: 0,
    observers: 0,
    outputBytes: 0,
    firstKeptOffset: 0,
    recordingId: null,
  })
}
