import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { playbook, type PlaybookEvent, step } from '@cmdop/fleet'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { startWorld, type World } from './world.ts'

let world: World
/** A folder in which machines leave what they do: each has a file of its own name. */
let folder = ''
let names: string[] = []
beforeAll(async () => {
  world = await startWorld({ machines: 3 })
  names = world.machines.map(({ name }) => name).toSorted()
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(async () => {
  folder = await world.folder()
})

/** Leaves a word in the file of the machine. */
const leave = (word: string) => (at: { machine: { name: string } }) => `echo ${word} >> ${folder}/${at.machine.name}`
const left = async (name: string) =>
  (await readFile(join(folder, name), 'utf8').catch(() => '')).trim().split('\n').join(' ')
const leftBy = (all: readonly string[]) => Promise.all(all.map(left))

test('steps run in order on each machine, and use what inputs say and steps before them gave there', async () => {
  const before = step.exec('before', ({ machine }) => `echo was-${machine.name}`)
  const book = playbook('greet', {
    inputs: z.object({ word: z.string(), times: z.number().default(2) }),
    steps: (inputs) => [
      before,
      step.exec('write', ({ machine, valueOf }) => {
        const was: string = valueOf(before).stdout.trim()
        return `echo ${was} ${inputs.word} ${inputs.times} > ${folder}/${machine.name}`
      }),
      step.check('written', ({ machine }) => ['cat', join(folder, machine.name)], {
        until: ({ stdout }) => stdout.includes(inputs.word),
      }),
    ],
  })
  const run = book.run(world.client, { on: '*', inputs: { word: 'hello' } })
  const events: PlaybookEvent['type'][] = []
  for await (const { type } of run) if (type !== 'step-event') events.push(type)
  const report = await run
  expect(report).toMatchObject({ outcome: 'ok', message: null, rollbacks: [], playbook: 'greet' })
  expect(report.steps.map((each) => [each.step, each.outcome, each.rows.length])).toEqual([
    ['before', 'ok', 3],
    ['write', 'ok', 3],
    ['written', 'ok', 3],
  ])
  expect(events).toEqual(Array.from({ length: 3 }, () => ['step-start', 'step-end']).flat())
  expect(await leftBy(names)).toEqual(names.map((name) => `was-${name} hello 2`))
  // The run and its steps are at the relay.
  expect(await world.client.fleetRuns.get(run.runId)).toMatchObject({
    kind: 'playbook',
    state: 'ended',
    counts: { ok: 3 },
  })
  expect(await world.client.fleetRuns.get(report.steps[1]?.runId ?? '')).toMatchObject({ kind: 'exec', state: 'ended' })
})

test('when a step fails, what had ended well is undone in reverse order, on the machines where it had', async () => {
  const book = playbook('fail', {
    steps: [
      step.exec('one', leave('one'), { rollback: leave('undo-one') }),
      step.exec('plain', leave('plain')),
      step.parallel('both', [
        step.exec('two', leave('two'), { rollback: leave('undo-two') }),
        step.exec('three', leave('three'), { concurrency: 1, rollback: leave('undo-three') }),
      ]),
      step.exec('four', ({ machine }) => (machine.name === names[1] ? 'exit 3' : leave('four')({ machine })), {
        waves: [1, '100%'],
        concurrency: 1,
        rollback: leave('undo-four'),
      }),
      step.exec('never', leave('never'), { rollback: leave('undo-never') }),
    ],
  })
  const report = await book.run(world.client, { on: '*' })
  expect(report.outcome).toBe('failed')
  expect(report.message).toContain(`The step 'four' is failed.`)
  expect(report.message).toContain(`${names[1]}: failed: exit code 3`)
  expect(report.steps.map(({ outcome }) => outcome)).toEqual(['ok', 'ok', 'ok', 'failed', 'skipped'])
  expect(report.rollbacks.map((each) => [each.step, each.outcome, each.rows.length])).toEqual([
    ['four.rollback', 'ok', 1],
    ['three.rollback', 'ok', 3],
    ['two.rollback', 'ok', 3],
    ['one.rollback', 'ok', 3],
  ])
  const all = (await leftBy(names)).map((words) => words.replace(/two three|three two/, 'two+three'))
  const undone = 'undo-three undo-two undo-one'
  expect(all).toEqual([
    `one plain two+three four undo-four ${undone}`,
    `one plain two+three ${undone}`,
    `one plain two+three ${undone}`,
  ])
  expect(await world.client.fleetRuns.get(report.runId)).toMatchObject({
    state: 'stopped',
    stop: { reason: 'failures' },
  })
})

test('a rollback that fails is told, and the others go on', async () => {
  const book = playbook('bad-undo', {
    steps: [
      step.exec('one', leave('one'), { rollback: leave('undo-one') }),
      step.exec('two', leave('two'), { rollback: ({ machine }) => `test ${machine.name} != ${names[0]}` }),
      step.exec('three', leave('three'), {
        rollback: () => {
          throw new Error('no command')
        },
      }),
      step.exec('four', 'false'),
    ],
  })
  const { rollbacks, outcome } = await book.run(world.client, { on: '*' })
  expect(outcome).toBe('failed')
  expect(rollbacks.map((each) => [each.step, each.outcome])).toEqual([
    ['three.rollback', 'failed'],
    ['two.rollback', 'failed'],
    ['one.rollback', 'ok'],
  ])
  expect(rollbacks[1]?.message).toBe(`It is not undone on ${names[0]}.`)
  expect(await leftBy(names)).toEqual(names.map(() => 'one two three undo-one'))
})

test('a step that may fail somewhere goes on with the other machines', async () => {
  const bad = ({ machine }: { machine: { name: string } }) => (machine.name === names[2] ? 'exit 1' : 'true')
  const book = playbook('some', {
    steps: [step.exec('one', bad, { maxFailures: 1 }), step.exec('two', leave('two'))],
  })
  const report = await book.run(world.client, { on: '*' })
  expect(report).toMatchObject({ outcome: 'ok', steps: [{ outcome: 'ok' }, { outcome: 'ok', rows: [{}, {}] }] })
  expect(await leftBy(names)).toEqual(['two', 'two', ''])
  expect(await world.client.fleetRuns.get(report.runId)).toMatchObject({ counts: { ok: 2, failed: 1 } })
})

test('a check is tried until it is so, and fails the playbook when it is not in time', async () => {
  const count = ({ machine }: { machine: { name: string } }) =>
    `echo x >> ${folder}/${machine.name}; wc -l < ${folder}/${machine.name}`
  const until =
    (times: number) =>
    ({ stdout }: { stdout: string }) =>
      Number(stdout) >= times
  const book = (times: number, atMostMs: number) =>
    playbook('wait', { steps: [step.check('counted', count, { until: until(times), everyMs: 20, atMostMs })] })
  expect(await book(4, 10_000).run(world.client, { on: '*' })).toMatchObject({ outcome: 'ok' })
  expect(await leftBy(names)).toEqual(names.map(() => 'x x x x'))
  const late = await book(1e6, 200).run(world.client, { on: names[0] ?? '' })
  expect(late.outcome).toBe('failed')
  expect(late.message).toMatch(/It was not so within 200 ms, at \d+ tries\./)
})

test('what is wrong with a playbook or its inputs is told before anything runs', async () => {
  const one = step.exec('one', leave('one'))
  const wrong: [() => unknown][] = [
    [() => playbook('x', { steps: [] })],
    [() => playbook('x', { steps: [one, one] })],
    [() => playbook('x y', { steps: [one] })],
    [() => playbook('x', { steps: [step.exec('a b', 'true')] })],
    [() => playbook('x', { steps: [step.parallel('none', [])] })],
    [() => playbook('x', { steps: [one, step.exec('two', 'true', { rollback: one })] })],
  ]
  for (const [make] of wrong) expect(make).toThrow(expect.objectContaining({ code: 'validation' }))
  const book = playbook('typed', {
    inputs: z.object({ count: z.number() }),
    steps: (inputs) => [step.exec(`n${inputs.count}`, leave('n'))],
  })
  // @ts-expect-error -- it is no number
  await expect(book.run(world.client, { on: '*', inputs: { count: 'one' } })).rejects.toMatchObject({
    code: 'validation',
    message: expect.stringContaining('count'),
  })
  await expect(book.run(world.client, { on: 'role=nobody', inputs: { count: 1 } })).rejects.toMatchObject({
    code: 'not_found',
  })
  expect(await readdir(folder)).toEqual([])
})

test('a value that is not there is told by the step that wants it, and what was done is undone', async () => {
  const later = step.exec('later', 'true')
  const book = playbook('order', {
    steps: [
      step.exec('one', leave('one'), { rollback: leave('undo') }),
      step.exec('early', ({ valueOf }) => valueOf(later).stdout),
      later,
    ],
  })
  const report = await book.run(world.client, { on: '*' })
  expect(report).toMatchObject({
    outcome: 'failed',
    steps: [{ outcome: 'ok' }, { outcome: 'failed' }, { outcome: 'skipped' }],
  })
  expect(report.message).toContain(`The step 'later' has not run before this one`)
  expect(await leftBy(names)).toEqual(names.map(() => 'one undo'))
})

test('who cancels ends what runs, and what had ended well is undone', async () => {
  const book = playbook('long', {
    steps: [
      step.exec('one', leave('one'), { rollback: leave('undo') }),
      step.exec('wait', `touch ${folder}/here; sleep 300`),
      step.exec('never', leave('never')),
    ],
  })
  const run = book.run(world.client, { on: names[0] ?? '' })
  for await (const event of run)
    if (event.type === 'step-event' && event.step === 'wait' && event.event.type === 'machine-start')
      await world.client.fleetRuns.cancel(run.runId)
  const report = await run
  expect(report).toMatchObject({ outcome: 'cancelled', rollbacks: [{ outcome: 'ok' }] })
  expect(report.steps.map(({ outcome }) => outcome)).toEqual(['ok', 'cancelled', 'skipped'])
  expect(await left(names[0] ?? '')).toBe('one undo')
  expect(await world.client.fleetRuns.get(run.runId)).toMatchObject({ state: 'cancelled' })
})

test('the same run twice runs once, whoever goes on finds the same, and an ended one can be undone', async () => {
  await writeFile(join(folder, 'there'), '')
  const book = playbook('again', {
    inputs: z.object({ word: z.string() }),
    steps: (inputs) => [
      step.exec('one', leave(inputs.word), { rollback: leave('undo') }),
      step.exec('two', leave('two')),
    ],
  })
  const first = await book.run(world.client, { on: '*', inputs: { word: 'one' } })
  await expect(book.run(world.client, { on: '*', inputs: { word: 'one' }, runId: first.runId })).rejects.toMatchObject({
    code: 'conflict',
  })
  const again = await book.resume(world.client, first.runId)
  expect(again).toMatchObject({
    outcome: 'ok',
    steps: first.steps.map(({ step: name }) => ({ step: name, outcome: 'ok' })),
  })
  expect(await leftBy(names)).toEqual(names.map(() => 'one two'))
  const other = playbook('again', { inputs: book.inputs, steps: [step.exec('one', 'true')] })
  await expect(other.resume(world.client, first.runId)).rejects.toMatchObject({ code: 'conflict' })
  const undone = await book.undo(world.client, first.runId)
  expect(undone).toMatchObject({ outcome: 'cancelled', rollbacks: [{ step: 'one.rollback', outcome: 'ok' }] })
  await book.undo(world.client, first.runId)
  expect(await leftBy(names)).toEqual(names.map(() => 'one two undo'))
  const plain = await world.client.fleetRuns.get(first.steps[0]?.runId ?? '')
  await expect(book.resume(world.client, plain.runId)).rejects.toMatchObject({ code: 'validation' })
})
