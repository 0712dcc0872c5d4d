import { recordedBytes } from '@cmdop/core'
import { describe, expect, test } from 'vitest'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

/** The recording of a session or command once it is over. */
async function recordingOf(world: World, subjectId: string) {
  const { recordingId } = await waitFor(
    'its recording is over',
    async () => {
      const { items } = await world.client.recordings.list({ subjectId }).catch(() => ({ items: [] }))
      return items.find(({ state }) => state !== 'open')
    },
    25_000,
  )
  return world.client.recordings.get(recordingId)
}

async function bytesOf(world: World, recordingId: string): Promise<string> {
  const events = await Array.fromAsync(world.client.recordings.events(recordingId))
  return Buffer.from(recordedBytes(events)).toString()
}

describe('a relay that is killed', () => {
  test('while a command is recorded has every byte of it once, when it is there again', async () => {
    await using world = await startWorld({ separateProcesses: true })
    const lines = 400
    const script = `i=0; while [ $i -lt ${lines} ]; do i=$((i+1)); echo line $i; sleep 0.01; done`
    const execution = world.handle.exec(script)
    const output = execution.then(({ stdout }) => stdout)
    await waitFor('a part of it is recorded', async () => {
      const { items } = await world.client.recordings.list({ subjectId: execution.callId })
      return (items[0]?.storedBytes ?? 0) > 1000
    })
    await world.relay.kill()
    await world.relay.restart()
    const recording = await recordingOf(world, execution.callId)
    expect(recording).toMatchObject({ state: 'complete', manifest: { integrity: 'complete', exitCode: 0 } })
    expect(await bytesOf(world, recording.recordingId)).toBe(await output)
  })
})

describe('a daemon that is killed', () => {
  test('leaves what it had recorded, and says that the rest is lost', async () => {
    await using world = await startWorld({ separateProcesses: true })
    const execution = world.handle.exec('echo begun; sleep 1000')
    const failed = execution.then(undefined, (error: unknown) => error)
    const session = await world.handle.sessions.open({ shell: 'sh' })
    await session.execute('echo in the session')
    for (const subjectId of [execution.callId, session.id]) {
      await waitFor('it is recorded as it goes', async () => {
        const { items } = await world.client.recordings.list({ subjectId })
        return (items[0]?.storedBytes ?? 0) > 0
      })
    }
    await world.machine.kill()
    await world.machine.restart()
    expect(await failed).toMatchObject({ code: 'lost' })
    const command = await recordingOf(world, execution.callId)
    const terminal = await recordingOf(world, session.id)
    for (const recording of [command, terminal])
      expect(recording).toMatchObject({ state: 'complete', manifest: { integrity: 'lost', exitCode: null } })
    expect(await bytesOf(world, command.recordingId)).toBe('begun\n')
    expect(await bytesOf(world, terminal.recordingId)).toContain('in the session')
  })
})
