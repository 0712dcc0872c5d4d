import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  applyEffect,
  computeEffects,
  judge,
  openSandbox,
  type Sandbox,
  type SandboxOptions,
  WarmHosts,
} from '@cmdop/sandbox'
import { findProgram } from '../peers/programs.ts'
import { type Action, alternate } from './alternate.ts'

type Restrictions = Sandbox['restrictions']

/** A command as an argv. */
type Argv = readonly [file: string, ...args: string[]]

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Milliseconds between two one-shots, in which a machine would do something else. */
const PAUSE_MS = 50

/** A place for measurements with the package alone: a folder to work in, and one for the state of sandboxes. */
export class Bench implements AsyncDisposable {
  readonly work: string
  readonly warm: WarmHosts
  readonly #states: string
  readonly #journals: string
  #count = 0

  private constructor(folder: string) {
    this.work = join(folder, 'work')
    this.#states = join(folder, 'states')
    this.#journals = join(folder, 'journals')
    this.warm = new WarmHosts({ privilege: process.getuid?.() === 0 ? 'root' : 'user', network: 'none' })
  }

  static async open(folder: string): Promise<Bench> {
    const bench = new Bench(folder)
    await mkdir(bench.work, { recursive: true })
    return bench
  }

  openSandbox(restrictions: Restrictions, options: Pick<SandboxOptions, 'warm'> = {}): Promise<Sandbox> {
    return openSandbox(restrictions, { folder: this.#states, hidden: [this.#journals], cwd: this.work, ...options })
  }

  /** `true` as it is, and in sandboxes that run. */
  async measureRunning(): Promise<Record<'plain' | 'dryRun' | 'readOnly', number[]>> {
    const dryRun = await this.openSandbox({ dryRun: true })
    const readOnly = await this.openSandbox({ readOnly: true })
    try {
      const actions = {
        plain: () => this.#plain(['true']),
        dryRun: () => this.run(dryRun, ['true']),
        readOnly: () => this.run(readOnly, ['true']),
      }
      return await alternate(actions, { rounds: 20, perRound: 25, warmUp: 5 })
    } finally {
      await dryRun.discard()
      await readOnly.discard()
    }
  }

  /** A command that writes a file: as it is, shown, and applied. */
  measureWriting(): Promise<Record<'plain' | 'dryRun' | 'noDelete', number[]>> {
    return this.#measureOneShots({
      plain: () => this.#plain(this.#writing()),
      dryRun: () => this.#alone({ dryRun: true }, this.#writing()),
      noDelete: () => this.#alone({ noDelete: true }, this.#writing()),
    })
  }

  /** A command that only looks, where it can write nothing; in bubblewrap where that is installed. */
  measureLooking(): Promise<Record<'readOnly' | 'bwrap', number[]>> {
    const bwrap = findProgram('bwrap')
    return this.#measureOneShots({
      readOnly: () => this.#alone({ readOnly: true }, ['true']),
      bwrap: bwrap === undefined ? () => Promise.resolve() : () => this.#plain([bwrap, ...BWRAP, 'true']),
    })
  }

  /** Runs a command in a sandbox to its end and that of its output. */
  async run(sandbox: Sandbox, [file, ...args]: Argv): Promise<void> {
    const child = await sandbox.spawn({ file, args, cwd: this.work, env: { PATH }, stdin: false })
    const { exitCode } = await ended(child, child.exit)
    if (exitCode !== 0) throw new Error(`Expected ${file} to exit with 0 in a sandbox, got ${exitCode}.`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.warm[Symbol.asyncDispose]()
  }

  #measureOneShots<Name extends string>(actions: Readonly<Record<Name, Action>>): Promise<Record<Name, number[]>> {
    const rest = async () => {
      await this.warm.ready()
      await sleep(PAUSE_MS)
    }
    return alternate(actions, { rounds: 60, perRound: 1, warmUp: 5, rest })
  }

  async #plain([file, ...args]: Argv): Promise<void> {
    const child = spawn(file, args, { cwd: this.work, env: { PATH }, stdio: ['ignore', 'pipe', 'pipe'] })
    const [exitCode] = await ended(child, once(child, 'exit') as Promise<[number | null]>)
    if (exitCode !== 0) throw new Error(`Expected ${file} to exit with 0, got ${exitCode}.`)
  }

  /** From opening to the answer: what it would change or, where that is asked for, that it is applied. */
  async #alone(restrictions: Restrictions, command: Argv): Promise<() => Promise<unknown>> {
    const sandbox = await this.openSandbox(restrictions, { warm: this.warm })
    await this.run(sandbox, command)
    if (sandbox.view !== undefined) {
      await sandbox.freeze()
      const list = await computeEffects(sandbox.view)
      if (list.counts['added'] !== 1) throw new Error(`Expected one new file, got ${JSON.stringify(list.counts)}.`)
      if (restrictions.noDelete === true && judge(list, restrictions).verdict === 'apply')
        await applyEffect(sandbox.view, list.hash, { journals: this.#journals })
    }
    return () => sandbox.discard()
  }

  /** Writes a file that is not there yet. */
  #writing(): Argv {
    this.#count += 1
    return ['sh', '-c', `echo new > new-${this.#count}`]
  }
}

/** The same isolation as `readOnly`, in the way agents use it. */
const BWRAP =
  '--unshare-all --die-with-parent --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --tmpfs /var/tmp'.split(' ')

async function ended<Exit>(
  { stdout, stderr }: { readonly stdout: NodeJS.ReadableStream; readonly stderr: NodeJS.ReadableStream },
  exit: Promise<Exit>,
): Promise<Exit> {
  const closed = [stdout, stderr].map((stream) => once(stream.resume(), 'close'))
  const [how] = await Promise.all([exit, ...closed])
  return how
}
