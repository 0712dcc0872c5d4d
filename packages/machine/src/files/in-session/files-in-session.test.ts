import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Channel, CmdopError, type MethodName } from '@cmdop/protocol'
import type { SandboxRequest } from '@cmdop/sandbox'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FileWorld, startFileWorld } from '../../testing/file-calls.ts'
import { createPlainPlaces, type PlainPlaces } from '../../testing/plain-places.ts'

const session = 'session_one'

let places: PlainPlaces
let world: FileWorld
beforeAll(async () => {
  places = createPlainPlaces({ lasting: true })
  world = await startFileWorld(places)
})
afterAll(() => world[Symbol.asyncDispose]())

/** A folder with everything that can be in one. */
async function filled(): Promise<string> {
  const folder = await mkdtemp(join(world.folder, 'filled-'))
  await mkdir(join(folder, 'inner/empty'), { recursive: true })
  await writeFile(join(folder, 'inner/file'), 'content', { mode: 0o640 })
  await writeFile(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xfe, 0x0a])]), 'odd name')
  await symlink('inner/file', join(folder, 'link'))
  return folder
}

/** Begins to write, and says from where on. */
async function begin(params: Record<string, unknown>, callId?: string): Promise<{ channel: Channel; offset: number }> {
  const ready = Promise.withResolvers<number>()
  const channel = world.open('file.write', { session, ...params }, callId === undefined ? {} : { callId })
  channel.onControl = (message) => ready.resolve((message as { offset: number }).offset)
  channel.over.catch(ready.reject)
  return { channel, offset: await ready.promise }
}

async function write(path: string, content: string, params: Record<string, unknown> = {}): Promise<unknown> {
  const { channel } = await begin({ path, ...params })
  await channel.send(1, Buffer.from(content))
  await channel.control({ type: 'commit', size: content.length })
  await channel.end()
  return channel.finished
}

const everything: readonly [MethodName, (folder: string) => Record<string, unknown>][] = [
  ['file.read', (folder) => ({ path: `${folder}/inner/file`, offset: 2, length: 3 })],
  ['file.read', (folder) => ({ path: `${folder}/missing` })],
  ['file.read', (folder) => ({ path: folder })],
  ['file.list', (folder) => ({ path: folder, limit: 2 })],
  ['file.list', (folder) => ({ path: folder, cursor: '!' })],
  ['file.stat', (folder) => ({ path: `${folder}/link` })],
  ['file.stat', (folder) => ({ path: `${folder}/link`, follow: true })],
  ['file.tree', (folder) => ({ path: folder })],
  ['file.search', (folder) => ({ path: folder, content: 'cont.nt', regex: true })],
  ['file.search', (folder) => ({ path: folder })],
  ['file.mkdir', (folder) => ({ path: `${folder}/a/b`, parents: true, mode: 0o750 })],
  ['file.mkdir', (folder) => ({ path: `${folder}/inner` })],
  ['file.symlink', (folder) => ({ path: `${folder}/link`, target: 'nowhere', overwrite: true })],
  ['file.change', (folder) => ({ path: `${folder}/inner/file`, mode: 0o600, modifiedAt: '2001-02-03T04:05:06.789Z' })],
  ['file.copy', (folder) => ({ from: `${folder}/inner`, to: `${folder}/copy`, recursive: true })],
  ['file.move', (folder) => ({ from: `${folder}/link`, to: `${folder}/moved` })],
  ['file.delete', (folder) => ({ path: `${folder}/inner`, recursive: true })],
  ['file.delete', (folder) => ({ path: `${folder}/inner` })],
]

describe('a call that names a session', () => {
  test.each(everything)('%s is answered as one on the disk is (%#)', async (method, paramsOf) => {
    const [here, there] = [await filled(), await filled()]
    const outcome = async (folder: string, named: object) => {
      const asked = world.read(world.open(method, { ...paramsOf(folder), ...named }))
      const [answer] = await Promise.allSettled([
        asked.then(({ data, end }) => ({ data: data.toString(), end: comparable(end) })),
      ])
      const text = JSON.stringify(answer.status === 'fulfilled' ? answer.value : answerOf(answer.reason))
      const left = (await readdir(folder, { recursive: true })).toSorted()
      return { text: comparableText(text, folder), left }
    }
    expect(await outcome(there, { session })).toEqual(await outcome(here, {}))
  })

  test('writes a file, with the trailer of one that is written on the disk', async () => {
    const path = join(world.folder, 'written')
    expect(await write(path, 'one')).toMatchObject({ size: 3, replaced: false })
    expect(await write(path, 'two')).toMatchObject({ size: 3, replaced: true, sha256: expect.any(String) })
    expect(await readFile(path, 'utf8')).toBe('two')
    await expect(write(path, 'three', { overwrite: false })).rejects.toMatchObject({ code: 'conflict' })
  })

  test('is served by the one process of its view, which has nothing of the environment of the daemon', async () => {
    await Promise.all(Array.from({ length: 50 }, () => world.ask('file.stat', { session, path: world.folder })))
    expect(places.processes).toHaveLength(1)
    const environment = await world.read(world.open('file.read', { session, path: '/proc/self/environ' }))
    expect(environment.data.toString()).toBe('')
  })

  test('sends no input where its method takes none', async () => {
    const channel = world.open('file.tree', { session, path: '/usr' })
    await channel.accepted
    await channel.send(1, Buffer.from('x'))
    await expect(channel.over).rejects.toMatchObject({ code: 'permission' })
  })

  test('is refused where there are no sessions', async () => {
    await using plain = await startFileWorld()
    const asked = plain.ask('file.mkdir', { session, path: join(plain.folder, 'made') })
    await expect(asked).rejects.toMatchObject({ code: 'unsupported' })
    expect(await readdir(plain.folder)).toEqual([])
  })
})

describe('an upload to a session', () => {
  test('goes on after a lost connection, where it was', async () => {
    const folder = await mkdtemp(join(world.folder, 'resumed-'))
    const path = join(folder, 'file')
    const first = await begin({ path }, 'call_resumed')
    await first.channel.send(1, Buffer.alloc(100_000, 'a'))
    const written = async () => {
      const [name] = await readdir(folder)
      return name === undefined ? 0 : (await stat(join(folder, name))).size
    }
    await expect.poll(written).toBeGreaterThan(0)
    await world.cut()
    const second = await begin({ path }, 'call_resumed')
    expect(second.offset).toBeGreaterThan(0)
    await second.channel.send(1, Buffer.alloc(100_000 - second.offset, 'a'))
    await second.channel.control({ type: 'commit', size: 100_000 })
    await second.channel.end()
    expect(await second.channel.finished).toMatchObject({ size: 100_000 })
    expect((await readFile(path, 'utf8')).length).toBe(100_000)
  })

  test('is taken over by a connection that comes back before the other is known to be lost', async () => {
    const path = join(await mkdtemp(join(world.folder, 'taken-')), 'file')
    const first = await begin({ path }, 'call_taken_over')
    const second = await begin({ path }, 'call_taken_over')
    await expect(first.channel.over).rejects.toMatchObject({ code: 'conflict' })
    await second.channel.send(1, Buffer.from('whole'))
    await second.channel.control({ type: 'commit', size: 5 })
    await second.channel.end()
    await second.channel.finished
    expect(await readFile(path, 'utf8')).toBe('whole')
  })

  test('leaves nothing when its client gives up', async () => {
    const folder = await mkdtemp(join(world.folder, 'given-up-'))
    const { channel } = await begin({ path: join(folder, 'file') })
    await channel.send(1, Buffer.from('half'))
    await expect.poll(() => readdir(folder)).toHaveLength(1)
    channel.reset(new CmdopError('cancelled', 'Not wanted any more.'))
    await expect.poll(() => readdir(folder)).toEqual([])
  })

  test('leaves nothing in a view that is left, also where its client may come back', async () => {
    const own = createPlainPlaces({ lasting: true })
    await using other = await startFileWorld(own)
    const channel = other.open('file.write', { session, path: join(other.folder, 'file'), keepPartial: true })
    await channel.accepted
    await channel.send(1, Buffer.from('half'))
    await expect.poll(() => readdir(other.folder)).toHaveLength(1)
    await other.cut()
    await other.files.leave('view')
    expect(await readdir(other.folder)).toEqual([])
    expect(own.processes[0]?.exitCode).toBe(0)
    expect(await readdir(other.notes).catch(() => [])).toEqual([])
  })
})

describe('a reader', () => {
  test('that leaves holds nothing open', async () => {
    const path = join(world.folder, 'held')
    await writeFile(path, Buffer.alloc(5_000_000))
    const channel = world.open('file.read', { session, path })
    channel.onControl = () => {}
    await channel[Symbol.asyncIterator]().next()
    const open = () => execFileSync('ls', ['-l', `/proc/${places.processes.at(-1)?.pid}/fd`]).toString()
    expect(open()).toContain(path)
    channel.reset(new CmdopError('cancelled', 'Read enough.'))
    await expect.poll(open).not.toContain(path)
  })
})

describe('100 MB', () => {
  const block = Buffer.alloc(1_000_000, 'abcdefghij')

  test('are written and read, and few of them are held at a time', { timeout: 120_000 }, async () => {
    const path = join(world.folder, 'large')
    const before = heldBytes()
    const held: number[] = []
    const { channel } = await begin({ path, size: 100 * block.length })
    for (let count = 0; count < 100; count += 1) {
      await channel.send(1, block)
      if (count % 20 === 10) held.push(heldBytes() - before)
    }
    await channel.control({ type: 'commit', size: 100 * block.length })
    await channel.end()
    expect(await channel.finished).toMatchObject({ size: 100 * block.length })
    const reading = world.open('file.read', { session, path })
    reading.onControl = () => {}
    let bytes = 0
    for await (const { data } of reading) {
      bytes += data.length
      if (bytes % (20 * block.length) < data.length) held.push(heldBytes() - before)
    }
    expect(bytes).toBe(100 * block.length)
    expect(held.length).toBeGreaterThan(8)
    expect(Math.max(...held)).toBeLessThan(50_000_000)
    const status = await readFile(`/proc/${places.processes.at(-1)?.pid}/status`, 'utf8')
    expect(Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1])).toBeLessThan(250_000)
    await rm(path)
  })

  test('wait for a reader that does not read', async () => {
    const path = join(world.folder, 'waiting')
    await writeFile(path, Buffer.alloc(100_000_000))
    const reading = world.open('file.read', { session, path })
    await reading.accepted
    const position = async () => {
      const pid = places.processes.at(-1)?.pid
      const status = await readFile(`/proc/${pid}/io`, 'utf8')
      return Number(/rchar: (\d+)/.exec(status)?.[1])
    }
    let last = -1
    await expect
      .poll(
        async () => {
          const former = last
          last = await position()
          return last - former
        },
        { interval: 200 },
      )
      .toBe(0)
    reading.reset(new CmdopError('cancelled', 'Not wanted any more.'))
    await rm(path)
  })
})

describe('a process that is killed', () => {
  test('ends the calls in it with a code, and the next one has another', async () => {
    const path = join(world.folder, 'survivor')
    await writeFile(path, Buffer.alloc(5_000_000))
    const reading = world.open('file.read', { session, path })
    reading.onControl = () => {}
    await reading[Symbol.asyncIterator]().next()
    const { channel: writing } = await begin({ path: join(world.folder, 'unfinished') })
    const count = places.processes.length
    places.processes.at(-1)?.kill('SIGKILL')
    await expect(reading.over).rejects.toMatchObject({ code: 'server', retryable: true })
    await expect(writing.over).rejects.toMatchObject({ code: 'server' })
    expect(await world.ask('file.stat', { session, path })).toMatchObject({ size: 5_000_000 })
    expect(places.processes).toHaveLength(count + 1)
  })

  test('as is the service, leaves none behind', async () => {
    const own = createPlainPlaces({ lasting: true })
    const other = await startFileWorld(own)
    await other.ask('file.stat', { session, path: '/' })
    await other[Symbol.asyncDispose]()
    expect(own.processes.map(({ exitCode, signalCode }) => exitCode ?? signalCode)).toEqual([0])
  })
})

describe('a call that is a transaction', () => {
  test('has a process of its own, and is answered when it is judged', async () => {
    const judging = Promise.withResolvers<void>()
    const judged = Promise.withResolvers<void>()
    const judge = () => {
      judging.resolve()
      return judged.promise
    }
    const own = createPlainPlaces({ lasting: false, judge })
    await using other = await startFileWorld(own)
    let isAnswered = false
    const asked = other.ask('file.mkdir', { session, path: join(other.folder, 'made') }).then(() => {
      isAnswered = true
    })
    await judging.promise
    expect(await readdir(other.folder)).toEqual(['made'])
    expect(own.processes.map(({ signalCode }) => signalCode)).toEqual(['SIGKILL'])
    expect(isAnswered).toBe(false)
    judged.resolve()
    await asked
    await other.ask('file.stat', { session, path: '/' })
    expect(own.processes).toHaveLength(2)
  })

  test('is refused with what it is judged by', async () => {
    const judge = () => Promise.reject(new CmdopError('effect_conflict', 'Somebody else was there.'))
    await using other = await startFileWorld(createPlainPlaces({ lasting: false, judge }))
    const asked = other.ask('file.mkdir', { session, path: join(other.folder, 'made') })
    await expect(asked).rejects.toMatchObject({ code: 'effect_conflict', message: 'Somebody else was there.' })
  })

  test('is not judged when its client leaves', async () => {
    let judged = 0
    const judge = async () => {
      judged += 1
    }
    const own = createPlainPlaces({ lasting: false, judge })
    await using other = await startFileWorld(own)
    const channel = other.open('file.write', { session, path: join(other.folder, 'file') })
    await channel.accepted
    channel.reset(new CmdopError('cancelled', 'Not wanted any more.'))
    const [child] = own.processes
    if (child?.signalCode === null) await once(child, 'exit')
    expect(judged).toBe(0)
  })
})

describe('what speaks in the place of the process', () => {
  const speaking = (script: string) => (request: SandboxRequest) => ({ ...request, args: ['-e', script] })
  const ask = async (script: string) => {
    const own = createPlainPlaces({ lasting: true, change: speaking(script) })
    await using other = await startFileWorld(own)
    const error = await other.ask('file.stat', { session, path: '/' }).then(
      () => undefined,
      ({ code }: CmdopError) => code,
    )
    const [child] = own.processes
    if (child?.exitCode === null && child.signalCode === null) await once(child, 'exit')
    return error
  }
  const framed = `const frame = (type, channel, payload) => {
    const body = Buffer.concat([Buffer.from([type, 0, 0, 0, channel]), Buffer.from(payload)])
    const head = Buffer.alloc(4)
    head.writeUInt32BE(body.length)
    process.stdout.write(Buffer.concat([head, body]))
  }
  process.stdin.resume()
  frame(1, 0, JSON.stringify({ version: 1 }))`

  test.each([
    ['that ends at once', 'process.stderr.write("no")', 'unsupported'],
    ['a text', 'process.stdout.write("Usage: node"); process.stdin.resume()', 'unsupported'],
    ['a message over the limit', 'process.stdout.write(Buffer.alloc(8, 0xff)); process.stdin.resume()', 'unsupported'],
    ['a frame of no kind', `${framed}; frame(77, 1, '')`, 'server'],
    ['of a channel that is not open', `${framed}; frame(5, 99, '')`, 'server'],
    ['an end before it has read the question', `${framed}; process.exit()`, 'server'],
  ])('is ended when it says something wrong: %s', async (_, script, code) => {
    expect(await ask(script)).toBe(code)
  })

  test('can open no channel to the daemon', async () => {
    const open = JSON.stringify({ method: 'exec', target: 'x', params: {}, callId: 'call_00000001', window: 65536 })
    const script = `${framed}
    frame(2, 2, '${open}')
    let heard = Buffer.alloc(0)
    process.stdin.on('data', (data) => {
      heard = Buffer.concat([heard, data])
      if (heard.includes('This peer takes no calls.')) process.exit()
    })`
    expect(await ask(script)).toBe('server')
  })
})

/** Bytes of content that this process holds. */
function heldBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // What the first one found is freed by the second one at the latest.
  for (let count = 0; count < 2; count += 1) collect()
  return process.memoryUsage().arrayBuffers
}

/** An answer without what differs between two files that are alike. */
function comparableText(text: string, folder: string): string {
  return text
    .replaceAll(folder, 'FOLDER')
    .replaceAll(folder.slice(-6), 'NAME')
    .replaceAll(/\\?"version\\?":\\?"[^"]*"/g, 'VERSION')
    .replaceAll(/(modifiedAt\\?":\\?")(?!2001)[^"]*"/g, '$1"')
}

function comparable(end: unknown): unknown {
  return end === null ? undefined : end
}

function answerOf(error: unknown): unknown {
  const { code, message, details } = error as CmdopError
  return { code, message, details }
}
