import { writeSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { inOuterWorld } from './testing/outer-world.ts'
import type { CorpusRun, CorpusVerdict } from './testing/corpus/run-corpus.ts'
import { prepareTools } from './testing/corpus/tools.ts'

const program = new URL('testing/corpus/run-corpus.ts', import.meta.url)

/** Runs the corpus in a throw-away copy of the machine; needs root. What could not run is in `missing`. */
async function run(input: CorpusRun): Promise<{ verdicts: readonly CorpusVerdict[]; missing: readonly string[] }> {
  const all: CorpusVerdict[] = []
  await inOuterWorld(program, input, {
    as: input.as,
    prepare: prepareTools(),
    onReport: (verdict) => all.push(verdict as CorpusVerdict),
  })
  const missing = all.flatMap(({ name, missing }) => (missing === undefined ? [] : [`${name} (${missing})`]))
  return { verdicts: all.filter((verdict) => verdict.missing === undefined), missing }
}

const harmful = (verdicts: readonly CorpusVerdict[]) =>
  verdicts.filter(({ harm }) => harm !== '.').map(({ name, harm }) => `${name}: ${harm}`)

/** Cases that nothing stops must do harm, or they prove nothing; those that the machine itself refuses are counted here. */
const LEAST = { root: 170, user: 140 }

describe.each(['root', 'user'] as const)('%s', (as) => {
  test('without a sandbox the cases do harm, so that the others mean something', async () => {
    const { verdicts, missing } = await run({ as, restrictions: {} })
    expect(verdicts.length + missing.length).toBeGreaterThanOrEqual(150)
    expect(harmful(verdicts).length).toBeGreaterThanOrEqual(LEAST[as])
    // Past the runner, which holds back what tests print.
    writeSync(2, report(as, verdicts, missing))
  })

  test.each([
    { restrictions: { dryRun: true } },
    { restrictions: { readOnly: true } },
    { restrictions: { readOnly: true }, tier: 'landlock' },
  ] as const)('%o lets no case do any', async (how) => {
    const { verdicts } = await run({ as, ...how })
    expect(verdicts.length).toBeGreaterThanOrEqual(150)
    expect(harmful(verdicts)).toEqual([])
  })

  test('noDelete loses nothing and plants nothing; what was overwritten comes back by undo', async () => {
    const { verdicts } = await run({ as, restrictions: { noDelete: true } })
    expect(verdicts.filter(({ harm }) => harm !== '.' && harm !== 'u')).toEqual([])
    expect(verdicts.some(({ harm }) => harm === 'u')).toBe(true)
  })

  test.each([{ dryRun: true }, { noDelete: true }])('what people do all day works under %o', async (restrictions) => {
    const { verdicts } = await run({ as, restrictions, everyday: true })
    const failed = verdicts.filter(
      ({ name, exitCode, verdict }) =>
        exitCode !== 0 || (verdict !== 'none' && verdict !== 'apply' && !flagged.has(name)),
    )
    expect(failed).toEqual([])
    expect(verdicts.length).toBeGreaterThanOrEqual(35)
    if ('noDelete' in restrictions)
      expect(verdicts.filter(({ verdict }) => verdict === 'apply').length).toBeGreaterThanOrEqual(25)
  })
})

/** A program that gains rights runs later: a person approves it. */
const flagged = new Set(['everyday: setcap'])

describe('without one layer at least one case does harm', () => {
  test.each<CorpusRun>([
    { as: 'root', restrictions: { dryRun: true }, without: ['descriptors'], only: ['descriptors'] },
    { as: 'root', restrictions: { dryRun: true }, without: ['capabilities'], only: ['/proc', 'namespaces'] },
    { as: 'root', restrictions: { dryRun: true }, without: ['kernel-files'], only: ['/proc'] },
    { as: 'root', restrictions: { readOnly: true }, without: ['unix-sockets'], only: ['sockets', 'pipes'] },
    {
      as: 'root',
      restrictions: { writablePaths: ['/cmdop-outer-state'] },
      without: ['state-mask'],
      only: ['the sandbox'],
    },
    {
      as: 'root',
      restrictions: { noSudo: true, runAs: 'cmdop-user' },
      without: ['no-new-privileges'],
      only: ['rights'],
    },
    { as: 'user', restrictions: { dryRun: true }, without: ['mount-calls'], only: ['namespaces'] },
    { as: 'user', restrictions: { readOnly: true }, tier: 'landlock', without: ['io-uring'], only: ['io_uring'] },
    { as: 'user', restrictions: { readOnly: true }, tier: 'landlock', without: ['wrong-abi'], only: ['other ABI'] },
  ])('%o', async (input) => {
    const { without, ...whole } = input
    expect(harmful((await run(whole)).verdicts)).toEqual([])
    expect(harmful((await run({ ...whole, without: without ?? [] })).verdicts)).not.toEqual([])
  })
})

/** Counts, and what was not run and why, so that nothing passes silently. */
function report(as: string, verdicts: readonly CorpusVerdict[], missing: readonly string[]): string {
  const harmless = verdicts.filter(({ harm }) => harm === '.').map(({ name }) => name)
  return `corpus as ${as}: ${harmful(verdicts).length} do harm; refused by the machine itself: ${harmless.join(', ')}; not run: ${missing.join(', ')}\n`
}
