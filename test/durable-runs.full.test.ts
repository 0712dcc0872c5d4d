import { describe, expect, test } from 'vitest'
import { boundariesOf, killAtBoundary } from './durable-runs.ts'
import { startWorld } from './world.ts'

const COMMANDS = 10

describe.each(['script', 'relay', 'machine'] as const)('a run of ten steps whose %s is killed', (victim) => {
  test('at every boundary of its journal has executed each command once, or says of which it does not know', async () => {
    const ends: string[] = []
    for (let boundary = 0; boundary < boundariesOf(COMMANDS); boundary += 1) {
      // Of its own: a machine waits the longer before it connects again, the more often it lost its relay.
      await using world = await startWorld({ separateProcesses: true })
      ends.push(await killAtBoundary(world, { victim, boundary, commands: COMMANDS }))
    }
    // Only a machine takes the command with it that runs there.
    const unknown = ends.filter((end) => end === 'unknown').length
    if (victim === 'machine') expect(unknown).toBeLessThanOrEqual(COMMANDS)
    else expect(unknown).toBe(0)
  }, 3_600_000)
})
