import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startModelServer, type TranscriptModel, transcriptTurns, type WireName } from '@cmdop/agent/testing'
import { type LocalSystem, systemAt } from '@cmdop/example-local-system'
import { newMark, withMark } from './marked.ts'
import { ownEnvironment } from './processes/environment.ts'
import { startWorld } from './world.ts'

/** What a story is told by a test: it may say what it likes, and nobody stops it. */
export const untold = { say: () => {}, signal: new AbortController().signal }

/** A relay and machines for several stories; in this process, which costs less than a process of each. */
export async function storySystem(...names: string[]): Promise<LocalSystem> {
  await using opened = new AsyncDisposableStack()
  const world = opened.use(await startWorld({ machines: 0 }))
  const machines = await Promise.all(names.map((name) => world.addMachine(name)))
  for (const { id } of machines) await world.client.machines.label(id, { role: 'web' })
  const system = opened.use(systemAt(world.relay.url, world.relay.firstKey))
  const running = opened.move()
  return { ...system, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

/** A story as a process of its own, with no model in its environment but what is given. */
export interface StoryProcess {
  readonly child: ChildProcess
  /** In the environment of everything that it starts, and in the name of the folder that it works in. */
  readonly mark: string
  readonly done: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>
}

/** Starts the `main.ts` of an example. */
export function startExample(
  name: string,
  argv: readonly string[] = [],
  env: Record<string, string> = {},
): StoryProcess {
  const mark = newMark()
  const main = fileURLToPath(new URL(`../examples/${name}/src/main.ts`, import.meta.url))
  const folder = join(tmpdir(), mark)
  mkdirSync(folder)
  const child = spawn(process.execPath, ['--conditions=@cmdop/source', main, ...argv], {
    env: { ...ownEnvironment(), ...env, MARK: mark, TMPDIR: folder },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const done = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }))
  return { child, mark, done }
}

/** The processes and files of an example that is over. */
async function leftOf(mark: string): Promise<(number | string)[]> {
  const folder = join(tmpdir(), mark)
  const left = [...(await withMark(mark)), ...(await readdir(folder))]
  await rm(folder, { recursive: true })
  return left
}

/** Runs an example to its end; `left` are the processes and files that are there afterwards. */
export async function runExample(name: string, argv: readonly string[] = [], env: Record<string, string> = {}) {
  const { mark, done } = startExample(name, argv, env)
  const ended = await done
  return { ...ended, left: await leftOf(mark) }
}

/** The same with a provider's key in its environment, whose server answers as the stand-in would. */
export async function runExampleWithKey(
  name: string,
  argv: readonly string[],
  { wire, standIn }: { wire: WireName; standIn: TranscriptModel },
) {
  await using server = await startModelServer(transcriptTurns(standIn.script))
  const env = Object.entries(server.env(wire)).map(([variable, value = '']) => [variable, value])
  const ended = await runExample(name, argv, Object.fromEntries(env) as Record<string, string>)
  return { ...ended, requests: server.requests.length }
}

/** Stops an example with ^C once it has begun to start things. */
export async function interruptExample(name: string, argv: readonly string[] = []) {
  const { child, mark, done } = startExample(name, argv)
  await once(child.stdout ?? child, 'data')
  child.kill('SIGINT')
  const { code, stderr } = await done
  return { code, stderr, left: await leftOf(mark) }
}
