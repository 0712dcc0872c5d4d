import { recordedBytes } from '@cmdop/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCli } from './processes/cli.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

/** The recording of a command once it is over. */
async function recordingOf(callId: string) {
  const { recordingId } = await waitFor('it is recorded', async () => {
    const { items } = await world.client.recordings.list({ subjectId: callId })
    return items.find(({ state }) => state !== 'open')
  })
  return world.client.recordings.get(recordingId)
}

describe('the recording of a command', () => {
  test('says who ran what, where, and how it ended', async () => {
    const execution = world.handle.exec(['sh', '-c', 'echo out; echo err >&2; exit 3'])
    await execution
    const me = await world.client.me()
    expect(await recordingOf(execution.callId)).toMatchObject({
      kind: 'exec',
      subjectId: execution.callId,
      machineId: world.machine.id,
      fleetId: me.fleetId,
      principalId: me.principalId,
      principalKind: 'human',
      title: "sh -c 'echo out; echo err >&2; exit 3'",
      state: 'complete',
      manifest: { exitCode: 3, integrity: 'complete' },
    })
  })

  test('has the bytes of each stream exactly, with their times', async () => {
    const script = String.raw`printf 'a\nb\r\n\303'; sleep 0.2; printf '\244\377\000'; printf err >&2`
    const execution = world.handle.exec(script)
    const { stdoutData, stderrData } = await execution
    const { recordingId } = await recordingOf(execution.callId)
    const events = await Array.fromAsync(world.client.recordings.events(recordingId))
    expect(recordedBytes(events, 'stdout')).toEqual(stdoutData)
    expect(recordedBytes(events, 'stderr')).toEqual(stderrData)
    const times = events.map(({ time }) => time)
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(0.15)
  })

  test('plays with cmdop replay', async () => {
    const execution = world.handle.exec(['printf', 'one\ntwo\n'])
    await execution
    const { recordingId } = await recordingOf(execution.callId)
    const env = { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey }
    expect(await runCli(['replay', recordingId], env)).toMatchObject({ code: 0, stdout: 'one\ntwo\n', stderr: '' })
  })
})

describe('the recording of a session', () => {
  test('has its output exactly, its sizes, and who typed, but not what', async () => {
    const session = await world.handle.sessions.open({ shell: 'sh', reason: 'to see', size: { columns: 90, rows: 20 } })
    const { recordingId } = session
    await session.execute("stty -echo; printf '\\303\\244\\377'; echo done")
    await using attachment = await session.attach({ size: { columns: 100, rows: 30 } })
    await attachment.write('read secret\nhidden-word\n')
    await session.execute('echo after')
    const kept = await session.read({ offset: 0 })
    await session.close()
    const recording = await recordingOf(session.id)
    expect(recording).toMatchObject({ recordingId, kind: 'session', reason: 'to see', state: 'complete' })
    const events = await Array.fromAsync(world.client.recordings.events(recording.recordingId))
    const output = Buffer.from(recordedBytes(events))
    expect(output.subarray(0, kept.data.length).equals(Buffer.from(kept.data))).toBe(true)
    expect(events).toContainEqual(expect.objectContaining({ type: 'resize', columns: 100, rows: 30 }))
    const notes = events.filter((event) => event.type === 'marker').map(({ text }) => text)
    expect(notes.join()).toContain('owner')
    expect(JSON.stringify(events)).not.toContain('hidden-word')
  })
})
