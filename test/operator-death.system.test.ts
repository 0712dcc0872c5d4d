import { createAgent } from '@cmdop/agent'
import { scriptedModel } from '@cmdop/agent/testing'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { newMark, whenGone, whenRunning } from './marked.ts'
import { waitFor } from './wait-for.ts'
import { startWorld } from './world.ts'

const Answer = z.object({ word: z.string(), lines: z.int().min(1) })

describe('an operator over a relay and a daemon that die', () => {
  test('finishes a run whose relay is killed and started again during its command', async () => {
    await using world = await startWorld({ separateProcesses: true })
    const mark = newMark()
    using model = scriptedModel([
      {
        calls: [
          {
            tool: 'run_command',
            input: {
              command: `echo begun; until [ -e /tmp/${mark} ]; do sleep 0.05; done; echo ended; rm /tmp/${mark}`,
            },
          },
        ],
      },
      {
        expect: ({ toolResults }) => expect(JSON.stringify(toolResults)).toContain('ended'),
        calls: [{ tool: 'final_result', input: { word: 'ended', lines: 2 } }],
      },
    ])
    const running = createAgent({ machine: world.handle, model }).run('Wait', { outputSchema: Answer })
    await whenRunning(mark)
    await world.relay.kill()
    await world.relay.restart()
    await world.whenOnline(world.machine)
    await world.handle.exec(['touch', `/tmp/${mark}`])
    expect(await running).toMatchObject({ status: 'completed', output: { word: 'ended', lines: 2 } })
  })

  test('ends as lost when the daemon is killed under its command, whose process is gone after the next start', async () => {
    await using world = await startWorld({ separateProcesses: true })
    const mark = newMark()
    using model = scriptedModel([{ calls: [{ tool: 'run_command', input: { command: `sleep 300 # ${mark}` } }] }])
    const running = createAgent({ machine: world.handle, model }).run('Sleep', { outputSchema: Answer })
    running.catch(() => {})
    await whenRunning(mark)
    await world.machine.kill()
    await world.machine.restart()
    await expect(running).rejects.toMatchObject({ code: 'lost', result: { status: 'failed' } })
    await whenGone(mark)
  })

  test('says that the machine is offline, and the relay away, as what they are', async () => {
    await using world = await startWorld({ separateProcesses: true })
    await world.machine.kill()
    await waitFor(
      'the machine is not online',
      async () => (await world.client.machines.get(world.machine.id)).presence !== 'online',
    )
    using model = scriptedModel([{ calls: [{ tool: 'run_command', input: { command: 'true' } }] }])
    const error: unknown = await createAgent({ machine: world.handle, model })
      .run('Go')
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'unavailable', result: { status: 'failed' } })
    await world.relay.kill()
    await expect(world.client.machine(world.machine.name)).rejects.toMatchObject({ code: 'connection' })
  })
})
