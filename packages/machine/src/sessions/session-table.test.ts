import { readFile, writeFile } from 'node:fs/promises'
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
