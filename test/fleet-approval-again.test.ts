import { randomUUID } from 'node:crypto'
import { createFleet } from '@cmdop/fleet'
import type { ApprovalSummary } from '@cmdop/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { invitePerson, type Person } from './people.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
let bob: Person
beforeAll(async () => {
  world = await startWorld()
  bob = await invitePerson(world, 'bob')
})
afterAll(() => world[Symbol.asyncDispose]())

/** A run of one command that people approved, and that has failed; what its script may do then. */
async function failedRun(command: string) {
  const runId = randomUUID()
  const run = createFleet(world.client, world.machine.name).exec(command, { runId, approval: 'before' })
  const question = await waitFor('people are asked', async () => {
    const { items } = await world.client.approvals.list({ runId, state: 'pending' })
    return items[0]
  })
  await approve(question)
  expect((await run).counts).toMatchObject({ failed: 1 })
  const again = () => world.client.fleetRuns.claim(runId, { retry: ['failed', 'ok'], again: true })
  const actions = [{ machineId: world.machine.id, method: 'exec', params: { command } }]
  const ask = async () => {
    const { approval } = await world.client.fleetRuns.askApproval(runId, { title: 'Again', actions, again: true })
    return approval as ApprovalSummary
  }
  const call = async ({ id: approvalId }: { id: string }) => {
    const handle = world.handle.as?.({ fleetRunId: runId })
    return await handle?.exec(command, { approval: { approvalId, wait: false } })
  }
  return { question, again, ask, call }
}

async function approve({ id, planDigest }: ApprovalSummary): Promise<void> {
  await bob.client.approvals.approve(id, { planDigest })
}

test('what people have approved is done once more for each time that the run is done again, and no oftener', async () => {
  const folder = await world.folder()
  const { question, again, ask, call } = await failedRun(`mkdir ${folder}/missing/new`)
  const used = [question.id]
  for (let times = 2; times <= 3; times += 1) {
    await again()
    // However many ask at once, they are given the same one.
    const [first, ...others] = await Promise.all([ask(), ask(), ask()])
    expect(first).toMatchObject({ state: 'approved', votes: [{ personId: bob.id }] })
    expect(others.map(({ id }) => id)).toEqual([first?.id, first?.id])
    await expect(call(first)).resolves.toMatchObject({ exitCode: 1 })
    const later = await ask()
    expect(later).toMatchObject({ id: first?.id, state: 'done' })
    await expect(call(later)).rejects.toMatchObject({ code: 'approval_void' })
    used.push(later.id)
  }
  expect(new Set(used).size).toBe(3)
})

test('what deletes is asked about each time, also when the run is done again', async () => {
  const folder = await world.folder()
  const { question, again, ask, call } = await failedRun(`rm ${folder}/not-there`)
  await again()
  const asked = await ask()
  expect(asked).toMatchObject({ state: 'pending' })
  expect(asked.id).not.toBe(question.id)
  await expect(call(asked)).rejects.toMatchObject({ code: 'approval_required' })
  await approve(asked)
  await expect(call(asked)).resolves.toMatchObject({ exitCode: 1 })
})
