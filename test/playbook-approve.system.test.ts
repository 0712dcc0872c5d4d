import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { playbook, type PlaybookEvent, type PlaybookExecution, step } from '@cmdop/fleet'
import type { ApprovalInfo } from '@cmdop/core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { startWorld, type World } from './world.ts'

let world: World
let folder = ''
beforeAll(async () => {
  world = await startWorld({ machines: 2 })
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(async () => {
  folder = await world.folder()
})

const leave = (word: string) => (at: { machine: { name: string } }) => `echo ${word} >> ${folder}/${at.machine.name}`
const left = async () => {
  const texts = world.machines.map(({ name }) => readFile(join(folder, name), 'utf8').catch(() => ''))
  return (await Promise.all(texts)).map((text) => text.trim().split('\n').join(' '))
}

const book = playbook('ask', {
  inputs: z.object({ folder: z.string() }),
  steps: () => {
    const before = step.exec('before', leave('before'), { rollback: leave('undo') })
    const asked = step.approve('sure', ({ machines, rowsOf }) => `${rowsOf(before).length} of ${machines.length}`, {
      reason: 'Because.',
    })
    return [
      before,
      asked,
      step.exec('after', (at) => `${leave('after')(at)}; echo ${at.valueOf(asked).by.join()}`, { rollback: 'undo it' }),
      step.approve('again', 'Still?'),
      step.exec('last', leave('last')),
    ]
  },
})

function approvalOf(event: PlaybookEvent): string | undefined {
  if (event.type !== 'step-event' || event.event.type !== 'run-wait') return undefined
  const { wait } = event.event
  return wait.for === 'approval' ? wait.approvalId : undefined
}

/** The question that the run comes to. */
async function questionOf(run: PlaybookExecution): Promise<ApprovalInfo> {
  for await (const event of run) {
    const approvalId = approvalOf(event)
    if (approvalId !== undefined) return world.client.approvals.get(approvalId)
  }
  throw new Error('Nobody was asked.')
}

const begin = (signal?: AbortSignal) =>
  book.run(world.client, { on: '*', inputs: { folder }, ...(signal === undefined ? {} : { signal }) })

test('people see what comes next on each machine, and when they approve the playbook goes on', async () => {
  const run = begin()
  const question = await questionOf(run)
  expect(question).toMatchObject({ state: 'pending', title: 'ask: 2 of 2 (2 machines)', reason: 'Because.' })
  const [action] = question.actions
  expect(question.actions).toHaveLength(2)
  expect(action?.params).toMatchObject({
    input: {
      playbook: 'ask',
      next: [{ step: 'after', kind: 'exec', does: '(made of what a step before it gives)', rollback: 'undo it' }],
    },
  })
  expect(await left()).toEqual(['before', 'before'])
  await world.client.approvals.approve(question.id, { planDigest: question.planDigest })
  for await (const event of run) {
    const next = approvalOf(event)
    if (next === undefined || next === question.id) continue
    const { planDigest } = await world.client.approvals.get(next)
    await world.client.approvals.approve(next, { planDigest })
  }
  const report = await run
  expect(report.outcome).toBe('ok')
  expect(report.steps[1]?.rows[0]?.result).toEqual({ approvalId: question.id, by: [expect.any(String)] })
  expect(await left()).toEqual(['before after last', 'before after last'])
  // Nobody is asked again.
  expect(await book.resume(world.client, run.runId)).toMatchObject({ outcome: 'ok' })
  expect(await Array.fromAsync(world.client.approvals.iter({ state: 'pending' }))).toEqual([])
})

test('a denial ends the playbook with its reason, and what was done is undone', async () => {
  const run = begin()
  const { id } = await questionOf(run)
  await world.client.approvals.deny(id, { reason: 'Not today.' })
  const report = await run
  expect(report).toMatchObject({ outcome: 'denied', rollbacks: [{ step: 'before.rollback', outcome: 'ok' }] })
  expect(report.message).toContain('Not today.')
  expect(report.steps.map(({ outcome }) => outcome)).toEqual(['ok', 'denied', 'skipped', 'skipped', 'skipped'])
  expect(await left()).toEqual(['before undo', 'before undo'])
  expect(await book.resume(world.client, run.runId)).toMatchObject({ outcome: 'denied', message: report.message })
  expect(await left()).toEqual(['before undo', 'before undo'])
  expect(await world.client.fleetRuns.get(run.runId)).toMatchObject({ state: 'stopped', stop: { reason: 'denied' } })
})

test('who cancels while people are asked withdraws the question, and what was done is undone', async () => {
  const cancelled = new AbortController()
  const run = begin(cancelled.signal)
  const { id } = await questionOf(run)
  cancelled.abort()
  expect(await run).toMatchObject({ outcome: 'cancelled' })
  expect(await world.client.approvals.get(id)).toMatchObject({ state: 'void' })
  expect(await left()).toEqual(['before undo', 'before undo'])
})

test('a script that goes on with a playbook waits for the question that was asked, and asks none', async () => {
  const first = begin()
  const question = await questionOf(first)
  // The first one finds that it is not the one any more.
  const second = book.resume(world.client, first.runId)
  const { id } = await questionOf(second)
  expect(id).toBe(question.id)
  await world.client.approvals.deny(id, { reason: 'No.' })
  expect(await second).toMatchObject({ outcome: 'denied' })
  await expect(first).rejects.toMatchObject({ code: 'conflict' })
  expect(await left()).toEqual(['before undo', 'before undo'])
})

/** A playbook as its file has it: with this command after the question. */
const bookWith = (command: string) =>
  playbook('edited', {
    steps: () => {
      const before = step.exec('before', leave('before'), { rollback: leave('undo') })
      return [
        before,
        step.approve('sure', 'Sure?'),
        step.exec('after', command),
        step.exec('made', ({ valueOf }) => valueOf(before).stdout || 'true'),
      ]
    },
  })

test('a file that was changed since people saw what comes next does not go on with it, and is undone', async () => {
  const first = bookWith(`echo good >> ${folder}/good`).run(world.connect(), { on: '*' })
  first.then(undefined, () => {})
  const question = await questionOf(first)
  // Another script goes on from here, with the edited file.
  const edited = bookWith(`echo bad >> ${folder}/bad`)
  const second = edited.resume(world.client, first.runId)
  second.then(undefined, () => {})
  await questionOf(second)
  await world.client.approvals.approve(question.id, { planDigest: question.planDigest })
  await expect(second).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining("'sure'") })
  await expect(first).rejects.toMatchObject({ code: 'conflict' })
  // Also where the answer is there already, and is read.
  await expect(edited.resume(world.client, first.runId)).rejects.toMatchObject({ code: 'conflict' })
  expect(await left()).toEqual(['before', 'before'])
  expect(await edited.undo(world.client, first.runId)).toMatchObject({ outcome: 'cancelled' })
  expect(await left()).toEqual(['before undo', 'before undo'])
  await expect(readFile(join(folder, 'bad'))).rejects.toThrow('ENOENT')
})

test('the file with which people were asked goes on after another one was refused', async () => {
  const former = bookWith(`echo good >> ${folder}/good`)
  const first = former.run(world.connect(), { on: '*' })
  first.then(undefined, () => {})
  const question = await questionOf(first)
  const second = bookWith('true').resume(world.client, first.runId)
  second.then(undefined, () => {})
  await questionOf(second)
  await world.client.approvals.approve(question.id, { planDigest: question.planDigest })
  await expect(second).rejects.toMatchObject({ code: 'conflict' })
  expect(await former.resume(world.client, first.runId)).toMatchObject({ outcome: 'ok' })
  expect(await readFile(join(folder, 'good'), 'utf8')).toBe('good\ngood\n')
})
