import { mkdir, mkdtemp, readFile, readdir, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Restrictions } from '@cmdop/protocol'
import { afterAll, expect, test } from 'vitest'
import { applyEffect } from '../apply/apply-effect.ts'
import { computeEffects } from '../effects/compute-effects.ts'
import { openSandbox } from '../sandbox.ts'
import { createPlace } from '../testing/place.ts'
import { runIn } from '../testing/run-in.ts'
import { WarmHosts } from './warm-hosts.ts'

const privilege = process.getuid?.() === 0 ? 'root' : 'user'
const { base, hasNamespaces, ...place } = await createPlace()
afterAll(() => place[Symbol.asyncDispose]())

test.runIf(hasNamespaces)('a host is handed out once, and only for what it was started for', async () => {
  await using warm = new WarmHosts({ privilege, network: 'none' })
  await warm.ready()
  expect(await warm.take({ privilege, network: 'host' })).toBeUndefined()
  const taken = await warm.take({ privilege, network: 'none' })
  expect(taken).toBeDefined()
  await warm.ready()
  const next = await warm.take({ privilege, network: 'none' })
  expect(next).toBeDefined()
  expect(next).not.toBe(taken)
  await taken?.[Symbol.asyncDispose]()
  await next?.[Symbol.asyncDispose]()
})

/** One sandbox was opened before, so that a view like its own is built ahead. */
async function prepare(restrictionsOf: (home: string) => Restrictions = () => ({ noDelete: true })) {
  const folder = await mkdtemp(join(base, 'states-'))
  const home = await mkdtemp(join(base, 'home-'))
  await writeFile(join(home, 'log'), 'one\n')
  const warm = new WarmHosts({ privilege, network: 'none' })
  await using hosts = new AsyncDisposableStack()
  hosts.use(warm)
  const options = { folder, cwd: home, hidden: [join(base, 'hidden')], warm }
  const restrictions = restrictionsOf(home)
  await (await openSandbox(restrictions, options)).discard()
  await warm.ready()
  const names = await readdir(folder)
  expect(names).toEqual([expect.stringMatching(/^prepared-/)])
  const kept = hosts.move()
  return { folder, home, options, restrictions, prepared: names[0], [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

test.runIf(hasNamespaces)(
  'a view that was built ahead shows the disk of when it is handed out, and its effect is applied to that',
  async () => {
    await using ahead = await prepare()
    const { folder, home, options } = ahead
    await writeFile(join(home, 'log'), 'one\ntwo\n')
    await writeFile(join(home, 'new'), 'made since')
    // The root of a layer, at least of an ordinary user, is changed too.
    await writeFile(join(base, 'at-the-root'), '')
    await using sandbox = await openSandbox({ noDelete: true }, { ...options, id: 'mine' })
    expect(await readdir(folder)).toEqual(['mine'])
    const { stdout } = await runIn(sandbox, `cat new; echo three >> log; ls -A '${folder}'`, { cwd: home })
    expect(stdout).toBe('made since')
    await sandbox.freeze()
    const view = sandbox.view ?? expect.fail('There is no view.')
    expect(view.layers.every(({ upper }) => upper.startsWith(join(folder, 'mine', 'u')))).toBe(true)
    const { counts, hash } = await computeEffects(view)
    expect(counts).toEqual({ modified: 1 })
    expect(await applyEffect(view, hash, { journals: join(base, 'journals') })).toEqual({ applied: 1 })
    expect(await readFile(join(home, 'log'), 'utf8')).toBe('one\ntwo\nthree\n')
    await sandbox.discard()
  },
)

test.runIf(hasNamespaces)('the times of the roots of layers stay when their effect is applied', async () => {
  // The only layer is the folder, so that the times of none of the machine's own are touched.
  await using ahead = await prepare((home) => ({ noDelete: true, writablePaths: [home] }))
  const { home, options, restrictions } = ahead
  await utimes(home, new Date(), new Date(1_700_000_000_000))
  await using sandbox = await openSandbox(restrictions, { ...options, id: 'times' })
  await sandbox.freeze()
  const view = sandbox.view ?? expect.fail('There is no view.')
  expect(view.layers.map(({ root }) => root)).toEqual([home])
  const { hash, counts } = await computeEffects(view)
  expect(counts).toEqual({})
  expect(await applyEffect(view, hash, { journals: join(base, 'journals-of-times') })).toEqual({ applied: 0 })
  expect((await stat(home)).mtimeMs).toBe(1_700_000_000_000)
  await sandbox.discard()
})

test.runIf(hasNamespaces).each([
  ['a directory that is to be hidden is there since', { noDelete: true }, () => mkdir(join(base, 'hidden'))],
  ['the restrictions are others', { readOnly: true }, async () => {}],
])('a view that was built ahead is not handed out when %s', async (_, restrictions, change) => {
  await using ahead = await prepare()
  const { folder, home, options, prepared } = ahead
  await change()
  await using sandbox = await openSandbox(restrictions, { ...options, id: 'mine' })
  const { stdout } = await runIn(sandbox, `ls '${base}/hidden' 2>&1; cat log`, { cwd: home })
  expect(stdout).toContain('one\n')
  await expect.poll(() => readdir(folder)).not.toContain(prepared)
  await sandbox.discard()
})
