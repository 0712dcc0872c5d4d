import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CmdopError, type Restrictions } from '@cmdop/protocol'
import { applyEffect, computeEffects, judge, openSandbox, type Sandbox } from '@cmdop/sandbox'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasViews } from '../../testing/has-views.ts'
import type { FilePlaces } from '../../restricted/file-places.ts'
import { type FileWorld, startFileWorld } from '../../testing/file-calls.ts'

const session = 'session_one'

let base = ''
/** What the calls work on. */
let home = ''
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'cmdop-in-session-'))
  home = join(base, 'home')
  await mkdir(home)
})
afterAll(() => rm(base, { recursive: true }))

/** A session with one view for all of it, and its files. */
async function open(restrictions: Restrictions): Promise<{ sandbox: Sandbox; world: FileWorld } & AsyncDisposable> {
  const sandbox = await openSandbox(restrictions, { folder: join(base, 'state'), cwd: home })
  const places: FilePlaces = {
    enter: async (_, use) => {
      const spawn = sandbox.spawn.bind(sandbox)
      return { result: await use({ kind: 'sandbox', id: sandbox.id, lasting: true, spawn }), effect: undefined }
    },
  }
  const world = await startFileWorld(places)
  return {
    sandbox,
    world,
    [Symbol.asyncDispose]: async () => {
      await world[Symbol.asyncDispose]()
      await sandbox.discard()
    },
  }
}

/** A session whose every call is judged by itself. */
function transactions(restrictions: Restrictions): FilePlaces {
  return {
    enter: async (_, use) => {
      const sandbox = await openSandbox(restrictions, { folder: join(base, 'state'), cwd: home })
      try {
        const { id } = sandbox
        const result = await use({ kind: 'sandbox', id, lasting: false, spawn: (request) => sandbox.spawn(request) })
        await sandbox.freeze()
        await applyIfAllowed(sandbox)
        return { result, effect: undefined }
      } finally {
        await sandbox.discard()
      }
    },
  }
}

async function applyIfAllowed(sandbox: Sandbox): Promise<void> {
  const view = sandbox.view ?? expect.fail('There is no view.')
  const list = await computeEffects(view)
  // Nothing of this test may reach anything else of the machine.
  expect(list.effects.filter(({ path }) => !path.startsWith(`${home}/`))).toEqual([])
  const { verdict } = judge(list, sandbox.restrictions)
  if (verdict === 'refuse') throw new CmdopError('restriction_violated', 'It deletes something.')
  await applyEffect(view, list.hash, { journals: join(base, 'journals') })
}

async function run(sandbox: Sandbox, script: string): Promise<string> {
  const env = { PATH: '/usr/bin:/bin' }
  const { stdout, exit } = await sandbox.spawn({ file: 'sh', args: ['-c', script], cwd: home, env, stdin: false })
  const text: Buffer[] = []
  for await (const data of stdout) text.push(data as Buffer)
  await exit
  return Buffer.concat(text).toString()
}

async function write(world: FileWorld, path: string, content: string): Promise<unknown> {
  const channel = world.open('file.write', { session, path })
  channel.onControl = () => {}
  await channel.accepted
  await channel.send(1, Buffer.from(content))
  await channel.control({ type: 'commit', size: content.length })
  await channel.end()
  return channel.finished
}

const codeOf = (asked: Promise<unknown>) =>
  asked.then(
    () => 'done',
    ({ code }: CmdopError) => code,
  )

describe.runIf(hasViews)('files of a dry run', () => {
  test('are those of its view: commands there see what is written, and the disk has none of it', async () => {
    await using own = await open({ dryRun: true })
    const { sandbox, world } = own
    await writeFile(join(home, 'kept'), 'on the disk')
    await write(world, join(home, 'new'), 'in the view')
    await world.ask('file.delete', { session, path: join(home, 'kept') })
    expect(await run(sandbox, 'ls; cat new; echo more >> new')).toBe('new\nin the view')
    const { data } = await world.read(world.open('file.read', { session, path: join(home, 'new') }))
    expect(data.toString()).toBe('in the viewmore\n')
    expect(await readdir(home)).toEqual(['kept'])
    expect(await world.ask('file.stat', { path: join(home, 'new') }).catch(({ code }) => code)).toBe('not_found')
  })

  test('are written through an absolute link within the view', async () => {
    await using own = await open({ dryRun: true })
    const { sandbox, world } = own
    const outside = `/etc/cmdop-test-${randomUUID()}`
    await write(world, outside, 'first')
    await run(sandbox, `ln -s ${outside} link`)
    await write(world, join(home, 'link'), 'second')
    expect(await run(sandbox, `cat ${outside}`)).toBe('second')
    expect(existsSync(outside)).toBe(false)
  })

  test('hide what the view hides, and nothing of the daemon is in the process that serves them', async () => {
    await using own = await open({ dryRun: true })
    expect(await own.world.ask('file.list', { session, path: join(base, 'state') })).toEqual({ entries: [] })
    const environment = await own.world.read(own.world.open('file.read', { session, path: '/proc/self/environ' }))
    expect(environment.data.toString()).toBe('')
    const { data } = await own.world.read(own.world.open('file.read', { session, path: '/proc/self/status' }))
    expect(data.toString()).toMatch(/^Seccomp:\t2$/m)
  })

  test('leave nothing half-written in the effect', async () => {
    await using own = await open({ dryRun: true })
    const channel = own.world.open('file.write', { session, path: join(home, 'half'), keepPartial: true })
    await channel.accepted
    await channel.send(1, Buffer.from('half'))
    await own.world.cut()
    await own.world.files.leave(own.sandbox.id)
    await own.sandbox.freeze()
    const { effects } = await computeEffects(own.sandbox.view ?? expect.fail('There is no view.'))
    expect(effects).toEqual([])
  })

  test('end with it, and their calls are told', async () => {
    await using own = await open({ dryRun: true })
    await writeFile(join(home, 'large'), Buffer.alloc(5_000_000))
    const channel = own.world.open('file.read', { session, path: join(home, 'large') })
    channel.onControl = () => {}
    await channel[Symbol.asyncIterator]().next()
    await own.sandbox.freeze()
    await expect(channel.over).rejects.toMatchObject({ code: 'server' })
    await rm(join(home, 'large'))
  })
})

test.runIf(hasViews)('files of a read-only session are read, and not changed', async () => {
  await using own = await open({ readOnly: true })
  await writeFile(join(home, 'kept'), 'on the disk')
  const { data } = await own.world.read(own.world.open('file.read', { session, path: join(home, 'kept') }))
  expect(data.toString()).toBe('on the disk')
  const refusal = { code: 'permission', details: { errno: 'EROFS' } }
  const outside = `/etc/cmdop-test-${randomUUID()}`
  await expect(write(own.world, outside, 'x')).rejects.toMatchObject(refusal)
  await expect(own.world.ask('file.mkdir', { session, path: outside })).rejects.toMatchObject(refusal)
})

test.runIf(hasViews)(
  'without deletions a call that deletes is refused and one that adds is on the disk when it is answered',
  async () => {
    await using world = await startFileWorld(transactions({ noDelete: true }))
    const [kept, added] = [join(home, 'kept'), join(home, 'added')]
    await writeFile(kept, 'on the disk')
    expect(await codeOf(world.ask('file.delete', { session, path: kept }))).toBe('restriction_violated')
    expect(await codeOf(world.ask('file.move', { session, from: kept, to: `${kept}-2` }))).toBe('done')
    expect(await readFile(`${kept}-2`, 'utf8')).toBe('on the disk')
    await write(world, added, 'new')
    expect(await readFile(added, 'utf8')).toBe('new')
    await write(world, added, 'newer')
    expect(await readFile(added, 'utf8')).toBe('newer')
  },
)

test.runIf(hasViews)('without deletions a file has the same version in each call', async () => {
  await using world = await startFileWorld(transactions({ noDelete: true }))
  const path = join(home, 'versioned')
  await writeFile(path, 'content')
  const { version } = (await world.ask('file.stat', { session, path })) as { version: string }
  // Another view at the same time would have another device.
  await using other = await open({ dryRun: true })
  await other.world.ask('file.stat', { session, path })
  const { data } = await world.read(world.open('file.read', { session, path, ifVersion: version }))
  expect(data.toString()).toBe('content')
})
