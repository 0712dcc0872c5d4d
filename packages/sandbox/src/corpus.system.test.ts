import { writeSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { inOuterWorld } from './testing/outer-world.ts'
import type { CorpusRun, CorpusRuns, CorpusVerdict } from './testing/corpus/run-corpus.ts'
import { prepareTools } from './testing/corpus/tools.ts'
import { hasOverlays } from './testing/test-view.ts'

const program = new URL('testing/corpus/run-corpus.ts', import.meta.url)

/** What came of one run; what could not run is in `missing`. */
interface Outcome {
  readonly verdicts: readonly CorpusVerdict[]
  readonly missing: readonly string[]
}

/** The throw-away copy of the machine needs root and namespaces. */
const canRun = hasOverlays && process.getuid?.() === 0

/** Past the runner, which holds back what tests print: nothing that was not run passes silently. */
function tell(line: string): void {
  writeSync(2, `${line}\n`)
}

/** Runs of the corpus in a throw-away copy of the machine. */
async function inOneWorld(input: CorpusRuns): Promise<Outcome[]> {
  if (!canRun) {
    const why = hasOverlays ? 'it needs root' : 'it needs namespaces and overlays'
    for (const run of input.runs) tell(`corpus as ${input.as}, ${JSON.stringify(run)}: none of the cases ran: ${why}`)
    return []
  }
  const all: CorpusVerdict[] = []
  await inOuterWorld(program, input, {
    as: input.as,
    prepare: prepareTools(),
    onReport: (verdict) => all.push(verdict as CorpusVerdict),
  })
  return input.runs.map((which, run) => {
    const own = all.filter((verdict) => verdict.run === run)
    const missing = own.flatMap(({ name, missing }) => (missing === undefined ? [] : [`${name} (${missing})`]))
    const count = `${own.length - missing.length} cases ran, ${missing.length} did not`
    tell(
      `corpus as ${input.as}, ${JSON.stringify(which)}: ${count}${missing.map((one) => `\n  not run: ${one}`).join('')}`,
    )
    return { verdicts: own.filter((verdict) => verdict.missing === undefined), missing }
  })
}

const harmful = (verdicts: readonly CorpusVerdict[]) =>
  verdicts.filter(({ harm }) => harm !== '.').map(({ name, harm }) => `${name}: ${harm}`)

/** Cases that nothing stops must do harm, or they prove nothing; those that the machine itself refuses are counted here. */
const LEAST = { root: 170, user: 140 }

/** What a view with the machine's network leaves open, as its `holes` say: services that listen on it. */
const OPEN_WITH_NETWORK = ['sockets: TCP: S', 'sockets: TCP over IPv6: S', 'sockets: UDP: S']

const harmless: readonly CorpusRun[] = [
  { restrictions: { dryRun: true } },
  { restrictions: { readOnly: true } },
  { restrictions: { readOnly: true }, tier: 'landlock' },
]
const withNetwork: CorpusRun = { restrictions: { dryRun: true, network: 'host' } }
const noDelete: CorpusRun = { restrictions: { noDelete: true } }
const everyday: readonly CorpusRun[] = [
  { restrictions: { dryRun: true }, everyday: true },
  { restrictions: { noDelete: true }, everyday: true },
]

/** One layer taken out each, with the cases that it is there for. */
const mutations: Readonly<Record<'root' | 'user', readonly CorpusRun[]>> = {
  root: [
    { restrictions: { dryRun: true }, without: ['descriptors'], only: ['descriptors'] },
    { restrictions: { dryRun: true }, without: ['capabilities'], only: ['/proc', 'namespaces'] },
    { restrictions: { dryRun: true }, without: ['kernel-files'], only: ['/proc'] },
    { restrictions: { readOnly: true }, without: ['unix-sockets'], only: ['sockets', 'pipes'] },
    { restrictions: { writablePaths: ['/cmdop-outer-state'] }, without: ['state-mask'], only: ['the sandbox'] },
    { restrictions: { noSudo: true, runAs: 'cmdop-user' }, without: ['no-new-privileges'], only: ['rights'] },
  ],
  user: [
    { restrictions: { dryRun: true }, without: ['mount-calls'], only: ['namespaces'] },
    { restrictions: { readOnly: true }, tier: 'landlock', without: ['io-uring'], only: ['io_uring'] },
    { restrictions: { readOnly: true }, tier: 'landlock', without: ['wrong-abi'], only: ['other ABI'] },
  ],
}

/** Worlds of both users at once: most of a case is waiting. Without a sandbox there is harm, so that is a world of its own. */
function startWorlds(as: 'root' | 'user') {
  const runs = [...harmless, withNetwork, noDelete, ...everyday]
  const whole = mutations[as].map(wholeOf)
  const all = [...runs, ...whole, ...mutations[as]]
  const [bare, restricted] = [inOneWorld({ as, runs: [{ restrictions: {} }] }), inOneWorld({ as, runs: all })]
  // Whoever asks is told; who does not must not bring the others down.
  for (const world of [bare, restricted]) world.catch(() => {})
  return {
    over: Promise.allSettled([bare, restricted]),
    bare: async () => outcome(await bare, 0),
    of: async (run: CorpusRun) => outcome(await restricted, all.indexOf(run)),
    ofMutation: async (at: number) => {
      const outcomes = await restricted
      return { whole: outcome(outcomes, runs.length + at), without: outcome(outcomes, runs.length + whole.length + at) }
    },
  }
}

/** The same cases with every layer. */
function wholeOf({ restrictions, tier, only }: CorpusRun): CorpusRun {
  return { restrictions, ...(tier && { tier }), ...(only && { only }) }
}

function outcome(outcomes: readonly Outcome[], at: number): Outcome {
  return outcomes[at] ?? expect.fail(`There is no run ${at}.`)
}

const worlds = { root: startWorlds('root'), user: startWorlds('user') }

/** Milliseconds for all of it; alone on a machine it takes some minutes. */
const MOST_MS = 1_800_000
beforeAll(() => Promise.all([worlds.root.over, worlds.user.over]), MOST_MS)

describe.runIf(canRun).each(['root', 'user'] as const)('%s', (as) => {
  const { bare, of, ofMutation } = worlds[as]

  test('without a sandbox the cases do harm, so that the others mean something', async () => {
    const { verdicts, missing } = await bare()
    expect(verdicts.length + missing.length).toBeGreaterThanOrEqual(150)
    expect(harmful(verdicts).length).toBeGreaterThanOrEqual(LEAST[as])
    tell(report(as, verdicts))
  })

  test.each(harmless)('%o lets no case do any', async (run) => {
    const { verdicts } = await of(run)
    expect(verdicts.length).toBeGreaterThanOrEqual(150)
    expect(harmful(verdicts)).toEqual([])
  })

  test('with the network of the machine only services that listen on it are reached', async () => {
    const { verdicts } = await of(withNetwork)
    expect(verdicts.length).toBeGreaterThanOrEqual(150)
    expect(harmful(verdicts)).toEqual(OPEN_WITH_NETWORK)
  })

  test('noDelete loses nothing and plants nothing; what was overwritten comes back by undo', async () => {
    const { verdicts } = await of(noDelete)
    expect(verdicts.length).toBeGreaterThanOrEqual(150)
    expect(verdicts.filter(({ harm }) => harm !== '.' && harm !== 'u')).toEqual([])
    expect(verdicts.some(({ harm }) => harm === 'u')).toBe(true)
  })

  test.each(everyday)('what people do all day works under $restrictions', async (run) => {
    const { verdicts } = await of(run)
    const failed = verdicts.filter(
      ({ name, exitCode, verdict }) =>
        exitCode !== 0 || (verdict !== 'none' && verdict !== 'apply' && !flagged.has(name)),
    )
    expect(failed).toEqual([])
    expect(verdicts.length).toBeGreaterThanOrEqual(35)
    if (run.restrictions.noDelete === true)
      expect(verdicts.filter(({ verdict }) => verdict === 'apply').length).toBeGreaterThanOrEqual(25)
  })

  test.each(mutations[as].map((run, at) => ({ layer: run.without?.join(), at })))(
    'without the layer $layer at least one case does harm',
    async ({ at }) => {
      const { whole, without } = await ofMutation(at)
      expect(harmful(whole.verdicts)).toEqual([])
      expect(harmful(without.verdicts)).not.toEqual([])
    },
  )
})

/** A program that gains rights runs later: a person approves it. */
const flagged = new Set(['everyday: setcap'])

/** How many do harm here, and which the machine itself refuses. */
function report(as: string, verdicts: readonly CorpusVerdict[]): string {
  const without = verdicts.filter(({ harm }) => harm === '.').map(({ name }) => name)
  return `corpus as ${as}: ${harmful(verdicts).length} do harm; refused by the machine itself: ${without.join(', ')}`
}
