import { describe, expect, test } from 'vitest'
import { boundariesOf, killAtBoundary } from './durable-runs.ts'
import { startWorld } from './world.ts'

const COMMANDS = 10

describe.each(['script', 'relay', 'machine'] as const)('a run of ten steps whose %s is killed', (victim) => {
  test.each([
    // At exactly that entry, for which the run waits.
    ['held', true],
    // With the journal as it is: some entries are on their way.
    ['going', false],
  ] as const)(
    'at every boundary of its journal (%s, waits for each entry: %s) has executed each command once, or says of which it does not know',
    async (moment, waits) => {
      const ends: string[] = []
      for (let boundary = 0; boundary < boundariesOf(COMMANDS); boundary += 1) {
        // Of its own: a machine waits the longer before it connects again, the more often it lost its relay.
        await using world = await startWorld({ separateProcesses: true })
        ends.push(await killAtBoundary(world, { victim, boundary, moment, commands: COMMANDS, waits }))
      }
      // Only a machine takes a command with it, and only one that runs.
      if (victim !== 'machine' || moment === 'held') expect(ends).not.toContain('unknown')
      else expect(ends).toContain('unknown')
    },
    3_600_000,
  )
})
