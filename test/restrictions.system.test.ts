import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { ExecError, type Restrictions, type RestrictionsInput } from '@cmdop/core'
import { isCmdopError } from '@cmdop/protocol'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

let world: World
/** Whether this machine can make a view. Where it cannot, the same tests hold that it says so before anything runs. */
let hasViews = false
/** It may hold this without one. */
let hasReadOnly = false
/** A folder with a file `kept`. */
let folder = ''

beforeAll(async () => {
  world = await startWorld()
  hasViews = await holds({ dryRun: true })
  hasReadOnly = await holds({ readOnly: true })
})
afterAll(() => world[Symbol.asyncDispose]())

beforeEach(async () => {
  folder = await world.folder()
  await writeFile(join(folder, 'kept'), 'kept\n')
})

const holds = (restrictions: Restrictions) =>
  world.handle.exec('true', { restrictions }).then(
    () => true,
    (error: unknown) => {
      if (isCmdopError(error) && error.code === 'restriction_unenforceable') return false
      throw error
    },
  )

/** The body where the machine has views; elsewhere that it refuses these restrictions. */
async function whereHeld(restrictions: Restrictions, body: () => Promise<void>): Promise<void> {
  if (hasViews || (hasReadOnly && restrictions.readOnly === true)) return body()
  const refused = { code: 'restriction_unenforceable', details: { restriction: expect.any(String) } }
  await expect(world.handle.exec('rm kept', { cwd: folder, restrictions })).rejects.toMatchObject(refused)
  await expect(world.handle.sessions.open({ shell: 'sh', restrictions })).rejects.toMatchObject(refused)
  expect(await readdir(folder)).toEqual(['kept'])
}

const content = (name: string) => readFile(join(folder, name), 'utf8')

describe('a command', () => {
  test('under dryRun gives its output, and an effect that is applied exactly and undone', () =>
    whereHeld({ dryRun: true }, async () => {
      const { effects } = world.handle
      const result = await world.handle.exec('rm kept; echo new > new; ls', {
        cwd: folder,
        restrictions: { dry_run: true },
      })
      expect(result).toMatchObject({ exitCode: 0, stdout: 'new\n', effect: { state: 'pending' } })
      expect(result.effect?.refusal).toBeUndefined()
      expect(await readdir(folder)).toEqual(['kept'])
      const { effectId = '', hash = '' } = result.effect ?? {}
      const { info, list } = await effects.get(effectId)
      expect(info).toMatchObject({ effectId, kind: 'exec', state: 'pending', hash, restrictions: { dryRun: true } })
      const changes = list?.effects.map(({ kind, path }) => [kind, path])
      expect(changes).toEqual(
        expect.arrayContaining([
          ['deleted', join(folder, 'kept')],
          ['added', join(folder, 'new')],
        ]),
      )
      expect(await effects.apply(effectId, hash)).toMatchObject({ state: 'applied' })
      expect(await readdir(folder)).toEqual(['new'])
      expect(await effects.undo(effectId)).toMatchObject({ state: 'undone' })
      expect([await readdir(folder), await content('kept')]).toEqual([['kept'], 'kept\n'])
    }))

  test('has an effect that others do not spoil who make something beside what it changes', () =>
    whereHeld({ dryRun: true }, async () => {
      const inside = join(folder, 'inside')
      await mkdir(inside)
      const { effect } = await world.handle.exec('echo new > new', { cwd: inside, restrictions: { dryRun: true } })
      await writeFile(join(folder, 'other'), '')
      await world.handle.effects.apply(effect?.effectId ?? '', effect?.hash ?? '')
      expect([await readdir(inside), (await readdir(folder)).toSorted()]).toEqual([
        ['new'],
        ['inside', 'kept', 'other'],
      ])
    }))

  test('that breaks noDelete rejects with its output and the paths, and a person can apply its effect', () =>
    whereHeld({ noDelete: true }, async () => {
      const options = { cwd: folder, restrictions: { noDelete: true } }
      const error = await world.handle.exec('echo said; rm kept; exit 3', options).then(undefined, (caught) => caught)
      expect(error).toBeInstanceOf(ExecError)
      const { details, result } = error as ExecError
      expect(error).toMatchObject({ code: 'restriction_violated', retryable: false })
      expect(details).toMatchObject({ exitCode: 3, paths: [join(folder, 'kept')], pathCount: 1 })
      expect(result).toMatchObject({ stdout: 'said\n', exitCode: 3, effect: { state: 'pending' } })
      expect(await readdir(folder)).toEqual(['kept'])
      await world.handle.effects.apply(String(details['effectId']), String(details['hash']))
      expect(await readdir(folder)).toEqual([])
    }))

  test('that keeps to noDelete has its effect applied when it ends', () =>
    whereHeld({ noDelete: true }, async () => {
      const options = { cwd: folder, restrictions: { noDelete: true } }
      const result = await world.handle.exec('echo new > new', options)
      expect(result).toMatchObject({ exitCode: 0, effect: { state: 'applied', counts: { added: 1 } } })
      expect(await content('new')).toBe('new\n')
    }))

  test('that is iterated gives its output, and then says that its effect was refused', () =>
    whereHeld({ noDelete: true }, async () => {
      const execution = world.handle.exec('echo said; rm kept', { cwd: folder, restrictions: { no_delete: true } })
      const seen: string[] = []
      const read = async () => {
        for await (const { data } of execution) seen.push(Buffer.from(data).toString())
      }
      await expect(read()).rejects.toMatchObject({ code: 'restriction_violated' })
      await expect(execution.exit).rejects.toMatchObject({ code: 'restriction_violated' })
      expect(seen.join('')).toBe('said\n')
    }))

  test('without restrictions has no effect', async () => {
    expect((await world.handle.exec('rm kept', { cwd: folder })).effect).toBeUndefined()
    expect((await world.handle.exec('true', { restrictions: {} })).effect).toBeUndefined()
  })
})

describe('a session', () => {
  test('under dryRun keeps its changes in its view, until they are applied with their hash', () =>
    whereHeld({ dryRun: true }, async () => {
      const session = await world.handle.sessions.open({ shell: 'sh', cwd: folder, restrictions: { dryRun: true } })
      expect((await session.info()).restrictions).toEqual({ dryRun: true })
      await session.execute('rm kept')
      const first = await session.effects()
      expect(first.info).toMatchObject({ effectId: session.id, kind: 'session', state: 'open' })
      const [output] = await session.execute('echo new > new; ls')
      expect([output, await readdir(folder)]).toEqual(['new\n', ['kept']])
      // What was shown first is not what there is now.
      await expect(session.apply(first.list?.hash ?? '')).rejects.toMatchObject({ code: 'effect_conflict' })
      expect(await readdir(folder)).toEqual(['kept'])
      const { list } = await session.effects()
      expect(await session.apply(list?.hash ?? '')).toMatchObject({ state: 'applied' })
      expect(await readdir(folder)).toEqual(['new'])
      await waitFor('the session is over', async () => (await session.info()).state === 'ended')
    }))

  test('that is discarded leaves nothing', () =>
    whereHeld({ dryRun: true }, async () => {
      const session = await world.handle.sessions.open({ shell: 'sh', cwd: folder, restrictions: { dryRun: true } })
      await session.execute('rm kept')
      expect(await session.discard()).toMatchObject({ effectId: session.id, state: 'discarded' })
      expect(await readdir(folder)).toEqual(['kept'])
      const items = await world.handle.effects.list()
      expect(items.find(({ effectId }) => effectId === session.id)).toMatchObject({ state: 'discarded' })
    }))

  test('is in the list of effects, which is read once and stops on abort', () =>
    whereHeld({ dryRun: true }, async () => {
      const { effects, sessions } = world.handle
      const session = await sessions.open({ shell: 'sh', cwd: folder, restrictions: { dryRun: true } })
      await world.handle.exec('touch new', { cwd: folder, restrictions: { dryRun: true } })
      const all = (await Array.fromAsync(effects.iter())).map(({ effectId }) => effectId)
      expect(all).toContain(session.id)
      expect(all.length).toBeGreaterThanOrEqual(2)
      expect(new Set(all).size).toBe(all.length)
      const pages = await Array.fromAsync(effects.pages())
      expect(pages.map(({ items }) => items.map(({ effectId }) => effectId))).toEqual([all])
      expect(await Array.fromAsync(effects.iter({ limit: 1 }))).toHaveLength(1)
      const stop = new AbortController()
      const list = effects.iter({ signal: stop.signal })
      await list.next()
      stop.abort()
      await expect(list.next()).rejects.toMatchObject({ code: 'cancelled' })
      await expect(effects.pages({ signal: AbortSignal.abort() }).next()).rejects.toMatchObject({ code: 'cancelled' })
      await session.discard()
    }))

  test('with restrictions is not the active one of a script that asked for none', () =>
    whereHeld({ readOnly: true }, async () => {
      const restricted = await world.handle.sessions.open({ shell: 'sh', restrictions: { readOnly: true } })
      await world.client.terminal.setMachine(world.machine.id)
      const active = await world.client.terminal.getActiveSession()
      expect((await active.info()).restrictions).toBeNull()
      await Promise.all([active.close(), restricted.close()])
    }))
})

test('a restriction that nobody knows is refused before anything is sent', async () => {
  const restrictions = { noDeletes: true } as RestrictionsInput
  const refused = { code: 'validation', message: expect.stringContaining('noDeletes') }
  await expect(world.handle.exec('rm kept', { cwd: folder, restrictions })).rejects.toMatchObject(refused)
  await expect(world.handle.sessions.open({ shell: 'sh', restrictions })).rejects.toMatchObject(refused)
  expect(await readdir(folder)).toEqual(['kept'])
})

test('a machine that is slow to start a sandbox is waited for longer than for another answer', async () => {
  // It asks id(1) for the user that commands run as, before anything else.
  const slow = await world.folder()
  await writeFile(join(slow, 'id'), `#!/bin/sh\nPATH='${process.env['PATH']}'\nsleep 2\nexec id "$@"\n`, {
    mode: 0o755,
  })
  const client = world.connect({ timeoutMs: 1_000 })
  const machine = await vi.waitFor(() => client.machine(world.machine.id), { timeout: 20_000 })
  await vi.waitFor(() => machine.exec('true'), { timeout: 20_000 })
  vi.stubEnv('PATH', `${slow}:${process.env['PATH']}`)
  try {
    const restrictions = { runAs: process.getuid?.() === 0 ? 'nobody' : userInfo().username }
    const [result, session] = await Promise.all([
      machine.exec('id -un', { cwd: '/', restrictions }),
      machine.sessions.open({ kind: 'run', cwd: '/', restrictions }),
    ])
    expect(result.stdout.trim()).toBe(restrictions.runAs)
    expect(session.id).not.toBe('')
  } finally {
    vi.unstubAllEnvs()
  }
})

test('what a machine says it can hold is what it holds', async () => {
  const { restrictions, system } = await world.handle.capabilities()
  expect(system).not.toBe('')
  expect(restrictions['dryRun']?.ok).toBe(hasViews)
  for (const { ok, missing, fix } of Object.values(restrictions))
    if (!ok) expect([missing, fix]).toEqual([expect.any(String), expect.any(String)])
})

test('an effect that nobody knows is not found', async () => {
  const { effects } = world.handle
  await expect(effects.get('call_unknown')).rejects.toMatchObject({ code: 'not_found' })
  await expect(effects.apply('call_unknown', '0'.repeat(64))).rejects.toMatchObject({ code: 'not_found' })
})
