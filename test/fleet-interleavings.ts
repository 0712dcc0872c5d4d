import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { createFleet, type FleetExecution, type FleetExecOptions } from '@cmdop/fleet'
import type { ApprovalSummary, FleetRunSummary } from '@cmdop/core'
import { isCmdopError } from '@cmdop/protocol'
import * as fc from 'fast-check'
import { expect } from 'vitest'
import { invitePerson, type Person } from './people.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World, type WorldMachine } from './world.ts'

const MACHINES = 3

/** Milliseconds for which somebody who has an answer looks for a question. */
const LOOKS_FOR_MS = 100

/** Milliseconds in which a run that has been given all it waits for comes to its end. */
const ENDS_WITHIN_MS = 60_000

/** What is known of a run without looking at it. */
interface Model {
  lost: number | undefined
  /** The more often a machine has lost its relay, the longer it waits before it connects again. */
  restartsLeft: number
}

/** How a run is begun. */
interface Shape {
  readonly approval: 'before' | 'wave' | 'machine' | undefined
  readonly sizes: readonly number[]
  readonly verdict: 'go' | 'pause'
  readonly concurrency: number
}

/**
 * Lets approvals, denials, expiry, pauses, people who continue, aborts, machines that are lost, scripts that are taken over and restarts
 * of the relay, `restarts` at most, meet in `numRuns` orders, each over a fleet run of its own, and gives how many of them ended how.
 */
export async function interleave(numRuns: number, { restarts }: { readonly restarts: number }): Promise<Ends> {
  await using stage = await startStage()
  const ends = new Map<string, number>()
  let restartsLeft = restarts
  const shape = fc.record<Shape>({
    approval: fc.constantFrom('before', 'before', 'wave', 'wave', 'machine', undefined),
    sizes: fc.constantFrom([1], [1, 2], [3]),
    verdict: fc.constantFrom('go', 'pause'),
    concurrency: fc.integer({ min: 1, max: MACHINES }),
  })
  const acts = fc.commands<Model, Play, true>(
    [
      ...['approve', 'approve', 'approve', 'deny', 'deny', 'proceed', 'proceed', 'pause', 'takeOver'].map((name) =>
        fc.constant(new Act(name as ActName)),
      ),
      fc.constant(new Act('expire')),
      fc.constant(new Act('abort')),
      fc.constant(new Restart()),
      fc.nat({ max: MACHINES - 1 }).map((index) => new Lose(index)),
      fc.nat({ max: 60 }).map((ms) => new Pass(ms)),
    ],
    { maxCommands: 8 },
  )
  const property = fc.asyncProperty(shape, acts, async (given, commands) => {
    const play = new Play(stage, given)
    await play.begin()
    const model: Model = { lost: undefined, restartsLeft }
    await fc.asyncModelRun(() => ({ model, real: play }), commands)
    restartsLeft = model.restartsLeft
    const end = await play.finish()
    ends.set(end, (ends.get(end) ?? 0) + 1)
  })
  // One after the other is over: another order of the same has another run.
  await fc.assert(property, { numRuns, endOnFailure: true })
  return ends
}

/** Runs that came to their end (`whole`), or why they stopped. */
export type Ends = ReadonlyMap<string, number>

interface Stage extends AsyncDisposable {
  readonly world: World
  readonly bob: Person
  readonly folder: string
}

async function startStage(): Promise<Stage> {
  const world = await startWorld({ machines: MACHINES, relay: { drainMs: 0 } })
  const [bob, folder] = [await invitePerson(world, 'bob'), await world.folder()]
  return { world, bob, folder, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() }
}

/** One fleet run, what people do to it, and what it must never do. */
class Play {
  readonly #stage: Stage
  readonly #options: FleetExecOptions
  readonly #runId = crypto.randomUUID()
  /** Machines that people have approved, by name. */
  readonly #approved = new Set<string>()
  #run: FleetExecution<unknown>
  #abortedAt: string | undefined
  #denied = 0
  #done = 0
  #lost: WorldMachine | undefined

  constructor(stage: Stage, { approval, sizes, verdict, concurrency }: Shape) {
    this.#stage = stage
    const waves = { waves: [...sizes], maxFailures: '100%' as const, check: () => verdict }
    this.#options = { ...waves, concurrency, ...(approval === undefined ? {} : { approval }), timeoutMs: 20_000 }
    this.#run = createFleet(stage.world.client, 'machine-*').exec(({ name }) => this.#command(name), {
      ...this.#options,
      runId: this.#runId,
    })
    this.#run.then(undefined, () => {})
  }

  /** Until the relay knows of it. */
  async begin(): Promise<void> {
    await waitFor('the run begins', () => this.#state())
  }

  /** Leaves a file of its own for each time that it runs. */
  #command(name: string): string {
    return `mktemp ${join(this.#stage.folder, `${this.#runId}-${name}`)}.XXXXXXXX; sleep 0.03`
  }

  async approve(): Promise<void> {
    const question = await this.#question()
    if (question === undefined) return
    const { client } = this.#stage.bob
    const { actions } = await client.approvals.get(question.id)
    const isOurs = actions.every(({ machineName: name, text }) => text === this.#command(name))
    expect(isOurs, 'people are asked about exactly what would run').toBe(true)
    const before = this.#abortedAt
    const answer = await settled(client.approvals.approve(question.id, { planDigest: question.planDigest }))
    if (answer !== 'ok') return
    expect(before, 'nobody approves what was aborted').toBeUndefined()
    for (const { machineName: name } of actions) this.#approved.add(name)
  }

  async deny(): Promise<void> {
    const question = await this.#question()
    if (question === undefined) return
    if ((await settled(this.#stage.bob.client.approvals.deny(question.id))) === 'ok') this.#denied += 1
  }

  /** Its time is over. */
  async expire(): Promise<void> {
    const question = await this.#question()
    if (question === undefined) return
    const store = await this.#stage.world.openStore()
    await store.approvals.change(question.id, ({ row }) =>
      row.state === 'pending' ? { row: { expiresAt: new Date(Date.now() - 1).toISOString() } } : undefined,
    )
    await waitFor('it is decided', async () => {
      const { state } = await this.#stage.bob.client.approvals.get(question.id)
      return state !== 'pending'
    })
  }

  async pause(): Promise<void> {
    await settled(this.#stage.bob.client.fleetRuns.pause(this.#runId))
  }

  async proceed(): Promise<void> {
    await settled(this.#stage.bob.client.fleetRuns.proceed(this.#runId))
  }

  async abort(): Promise<void> {
    const answer = await settled(this.#stage.bob.client.fleetRuns.cancel(this.#runId))
    if (answer !== 'ok' || (await this.#state())?.state !== 'cancelled') return
    this.#abortedAt ??= new Date().toISOString()
  }

  /** Another script goes on with it: what the one before it has begun is its own from now on. */
  async takeOver(): Promise<void> {
    if ((await this.#state()) === undefined) return
    const { check } = this.#options
    const next = createFleet(this.#stage.world.client, '*').resume(this.#runId, { check: check as () => 'go' })
    const isTaken = await Promise.race([
      next.then(
        () => true,
        () => false,
      ),
      this.#begun(next),
    ])
    if (this.#abortedAt !== undefined) expect(isTaken, 'what was aborted is not gone on with').toBe(false)
    if (isTaken) this.#run = next
  }

  async restartRelay(): Promise<void> {
    const before = await this.#state()
    await this.#stage.world.relay.restart()
    for (const machine of this.#stage.world.machines)
      if (machine !== this.#lost) await this.#stage.world.whenOnline(machine)
    const after = await this.#state()
    if (before !== undefined) expect(doneOf(after)).toBeGreaterThanOrEqual(doneOf(before))
  }

  async lose(index: number): Promise<void> {
    const machine = this.#stage.world.machines[index] as WorldMachine
    await machine.close()
    this.#lost = machine
  }

  async find(): Promise<void> {
    const lost = this.#lost
    if (lost === undefined) return
    this.#lost = undefined
    await lost.restart()
    await this.#stage.world.whenOnline(lost)
  }

  /** What is true at every moment. */
  async assertSound(): Promise<void> {
    const { folder } = this.#stage
    const ran = (await readdir(folder)).flatMap((name) => {
      const [, machine] = name.split('.')[0]?.split(`${this.#runId}-`) ?? []
      return machine === undefined ? [] : [machine]
    })
    expect(new Set(ran).size, 'no machine runs it twice').toBe(ran.length)
    if (this.#options.approval !== undefined)
      expect(
        ran.filter((name) => !this.#approved.has(name)),
        'nothing runs that nobody has approved',
      ).toEqual([])
    const run = await this.#state()
    if (run === undefined) return
    if (this.#abortedAt !== undefined) expect(run.state).toBe('cancelled')
    expect(run.state === 'paused').toBe(run.wait !== null)
    expect(doneOf(run), 'what is written stays').toBeGreaterThanOrEqual(this.#done)
    this.#done = doneOf(run)
  }

  /** Gives it all that it waits for, and how it ended. */
  async finish(): Promise<string> {
    await this.find()
    const over = { is: false }
    const end = () => void (over.is = true)
    this.#run.then(end, end)
    for (const until = Date.now() + ENDS_WITHIN_MS; !over.is; await wait(10)) {
      const run = await this.#state()
      expect(
        Date.now(),
        `a run that is ${run?.state} and waits for ${JSON.stringify(run?.wait)} is stuck`,
      ).toBeLessThan(until)
      if (run?.wait?.for === 'person') await this.proceed()
      await this.approve()
    }
    await this.assertSound()
    const report = await this.#run
    const { state } = (await this.#state()) ?? {}
    expect(['ended', 'stopped', 'cancelled']).toContain(state)
    if (this.#abortedAt !== undefined) {
      // Its script may have come to its end, and written that down, before.
      if (!(await this.#hasEnded())) expect(report.stop?.reason).toBe('cancelled')
      await this.#assertNothingAfter(this.#abortedAt)
    }
    if (report.stop?.reason === 'denied') expect(report.counts.denied).toBeGreaterThan(0)
    if (this.#denied > 0 && this.#abortedAt === undefined) expect(report.ok).toBe(false)
    return report.stop?.reason ?? 'whole'
  }

  /** The relay lets no call of it begin after it has acknowledged the abort. */
  async #assertNothingAfter(at: string): Promise<void> {
    const { items } = await this.#stage.world.client.audit.getLogs({ runId: this.#runId, action: 'exec', limit: 100 })
    const begun = items.filter((row) => row.kind === 'intent' && row.decision === 'allow' && row.at > at)
    expect(begun, 'nothing begins after an abort').toEqual([])
  }

  async #hasEnded(): Promise<boolean> {
    const { items } = await this.#stage.world.client.audit.getLogs({
      runId: this.#runId,
      action: 'run.write',
      limit: 100,
    })
    return items.some(({ subject }) => subject === 'fleet-run:stopped' || subject === 'fleet-run:ended')
  }

  async #begun(run: FleetExecution<unknown>): Promise<boolean> {
    for await (const _ of run) return true
    return false
  }

  async #question(): Promise<ApprovalSummary | undefined> {
    for (const until = Date.now() + LOOKS_FOR_MS; ; await wait(5)) {
      const { items } = await this.#stage.bob.client.approvals.list({ runId: this.#runId, state: 'pending' })
      const [first] = items
      if (first !== undefined || this.#options.approval === undefined || Date.now() > until) return first
      if ((await this.#state())?.wait?.for === 'person') return undefined
    }
  }

  async #state(): Promise<FleetRunSummary | undefined> {
    try {
      return await this.#stage.world.client.fleetRuns.get(this.#runId)
    } catch (error) {
      if (isCmdopError(error) && error.code === 'not_found') return undefined
      throw error
    }
  }
}

type ActName = 'approve' | 'deny' | 'expire' | 'pause' | 'proceed' | 'abort' | 'takeOver'

class Act implements fc.AsyncCommand<Model, Play, true> {
  readonly #name: ActName

  constructor(name: ActName) {
    this.#name = name
  }

  async check(): Promise<boolean> {
    return true
  }

  async run(_model: Model, play: Play): Promise<void> {
    await play[this.#name]()
    await play.assertSound()
  }

  toString(): string {
    return this.#name
  }
}

class Restart implements fc.AsyncCommand<Model, Play, true> {
  async check({ restartsLeft }: Readonly<Model>): Promise<boolean> {
    return restartsLeft > 0
  }

  async run(model: Model, play: Play): Promise<void> {
    model.restartsLeft -= 1
    await play.restartRelay()
    await play.assertSound()
  }

  toString(): string {
    return 'restartRelay'
  }
}

/** A machine is gone, and comes back at the end. */
class Lose implements fc.AsyncCommand<Model, Play, true> {
  readonly #index: number

  constructor(index: number) {
    this.#index = index
  }

  async check({ lost }: Readonly<Model>): Promise<boolean> {
    return lost === undefined
  }

  async run(model: Model, play: Play): Promise<void> {
    await play.lose(this.#index)
    model.lost = this.#index
    await play.assertSound()
  }

  toString(): string {
    return `lose(${this.#index})`
  }
}

/** Time passes. */
class Pass implements fc.AsyncCommand<Model, Play, true> {
  readonly #ms: number

  constructor(ms: number) {
    this.#ms = ms
  }

  async check(): Promise<boolean> {
    return true
  }

  async run(_model: Model, play: Play): Promise<void> {
    await wait(this.#ms)
    await play.assertSound()
  }

  toString(): string {
    return `pass(${this.#ms})`
  }
}

async function settled(answer: Promise<unknown>): Promise<string> {
  try {
    await answer
    return 'ok'
  } catch (error) {
    if (isCmdopError(error) && ['conflict', 'not_found', 'validation'].includes(error.code)) return error.code
    throw error
  }
}

/** Machines that were tried, or refused; those that were skipped whoever goes on with it tries. */
function doneOf(run: FleetRunSummary | undefined): number {
  return Object.entries(run?.counts ?? {}).reduce((sum, [name, count]) => sum + (name === 'skipped' ? 0 : count), 0)
}
