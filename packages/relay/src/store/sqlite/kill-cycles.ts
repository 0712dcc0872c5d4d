import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { DatabaseSync } from 'node:sqlite'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { Store } from '../store.ts'
import { openSqliteStore } from '../sqlite-store.ts'
import { temporaryFolder } from './temporary-store.ts'

/** A writer is killed after at most so many acknowledged rows, about half a second of its life. */
const maxAcknowledged = 4_000
const kinds = ['fleet', 'audit', 'machine'] as const
type Kind = (typeof kinds)[number]
type Acknowledged = Record<Kind, string[]>
const acknowledgement = /^([a-z]+) ([0-9a-f-]{36})$/

/** Kills a writing process `cycles` times at random moments, each on what the one before it has left. */
export function itSurvivesKills(cycles: number): void {
  it(`has every acknowledged row after each of ${cycles} kills`, { timeout: 60_000 + cycles * 5_000 }, async () => {
    await using folder = await temporaryFolder()
    for (let cycle = 0; cycle < cycles; cycle += 1) {
      const acknowledged = await writeUntilKilled(folder.file, randomInt(maxAcknowledged))
      await expectEverything(folder.file, acknowledged)
    }
  })
}

/** Ids by kind that the writer printed before it died. */
async function writeUntilKilled(file: string, killAfter: number): Promise<Acknowledged> {
  const writer = fileURLToPath(new URL('./kill-writer.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=@cmdop/source', writer, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const acknowledged: Acknowledged = { fleet: [], audit: [], machine: [] }
  let count = 0
  // The loop also reads what was still in the pipe when the process died.
  for await (const line of createInterface({ input: child.stdout })) {
    const [, kind, id] = acknowledgement.exec(line) ?? []
    if (!isKind(kind) || id === undefined) continue
    acknowledged[kind].push(id)
    count += 1
    if (count > killAfter) child.kill('SIGKILL')
  }
  expect(await ended, 'the writer must die of the kill, not of a fault').toEqual([null, 'SIGKILL'])
  return acknowledged
}

function isKind(value: string | undefined): value is Kind {
  return kinds.some((kind) => kind === value)
}

async function expectEverything(file: string, acknowledged: Acknowledged): Promise<void> {
  await using store = await openSqliteStore({ file })
  const [fleetId = ''] = acknowledged.fleet
  expect(await store.fleets.get(fleetId)).toBeDefined()
  const rows = await store.audit.list(fleetId, { limit: 1_000_000 })
  const audited = new Set(rows.map(({ row }) => row.id))
  expect(acknowledged.audit.filter((id) => !audited.has(id))).toEqual([])
  await expectMachines(store, fleetId, acknowledged.machine)
  using database = new DatabaseSync(file)
  expect(database.prepare('pragma integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
}

/** All that were acknowledged are there, and the token was used exactly once for each that is. */
async function expectMachines(store: Store, fleetId: string, acknowledged: readonly string[]): Promise<void> {
  const machines = await store.machines.list(fleetId, { limit: 1_000_000 })
  const enrolled = new Set(machines.map(({ id }) => id))
  expect(acknowledged.filter((id) => !enrolled.has(id))).toEqual([])
  expect((await store.enrollmentTokens.get(fleetId))?.uses).toBe(machines.length)
}
