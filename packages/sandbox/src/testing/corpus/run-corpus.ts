import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Restrictions } from '@cmdop/protocol'
import { applyEffect } from '../../apply/apply-effect.ts'
import { undoEffect } from '../../apply/undo-effect.ts'
import { computeEffects } from '../../effects/compute-effects.ts'
import { judge } from '../../effects/judge.ts'
import { libc } from '../../host/libc.ts'
import type { Layer } from '../../host/plan.ts'
import type { Tier } from '../../restrictions/plan-restrictions.ts'
import { type Sandbox, openSandbox } from '../../sandbox.ts'
import { WarmHosts } from '../../starter/warm-hosts.ts'
import { OUTER_STATE, assertOuterWorld } from '../outer-world.ts'
import { type Bait, startBait } from './bait.ts'
import { channelCases } from './channel-cases.ts'
import type { CorpusCase } from './corpus-case.ts'
import { everyday } from './everyday.ts'
import { fileCases } from './file-cases.ts'
import { kernelCases } from './kernel-cases.ts'
import { TOOLS } from './tools.ts'
import { type Snapshot, harmBetween, machineState, makeTemplate, snapshot } from './victim.ts'

/** What the module does in its world: runs of the corpus, one after the other. */
export interface CorpusRuns {
  readonly as: 'root' | 'user'
  readonly runs: readonly CorpusRun[]
}

/** What one run of the corpus is about. */
export interface CorpusRun {
  /** `{}` = no sandbox: to see which cases do harm here at all. */
  readonly restrictions: Restrictions
  readonly tier?: Tier
  readonly without?: readonly Layer[]
  /** What people do all day, instead of what does harm. */
  readonly everyday?: boolean
  /** Only cases whose name begins with one of these. */
  readonly only?: readonly string[]
}

/** What came of one case: letters of the harm, `.` for none, `u` for what undo brought back, or why it was not run. */
export interface CorpusVerdict {
  /** Which of the runs. */
  readonly run: number
  readonly name: string
  readonly harm: string
  readonly missing?: string
  readonly exitCode?: number | null
  /** What became of its effect. */
  readonly verdict?: string
  readonly said?: string
}

/** Every case. */
export const corpus: readonly CorpusCase[] = [...fileCases, ...kernelCases, ...channelCases]

const home = homedir()
const shared = [
  '.bashrc',
  '.profile',
  '.bash_logout',
  '.zshenv',
  '.ssh',
  '.gitconfig',
  '.config/systemd',
  '.config/autostart',
  '.local/bin',
].map((name) => join(home, name))
const system = [
  'cron.d',
  'cron.daily',
  'systemd/system',
  'ld.so.preload',
  'profile.d',
  'sudoers.d',
  'pam.d',
  'udev/rules.d',
  'apt/apt.conf.d',
  'logrotate.d',
  'init.d',
]
const places = [...shared, ...system.map((name) => join('/etc', name)), '/var/spool/cron', '/usr/local/bin', TOOLS]

const daemonFolder = join(OUTER_STATE, 'daemon')
const secret = '/srv/cmdop-secret'
const template = join(home, 'template')

async function main({ as, runs }: CorpusRuns): Promise<void> {
  assertOuterWorld()
  mkdirSync(join(daemonFolder, 'other', 'u', '0'), { recursive: true })
  writeFileSync(join(daemonFolder, 'other', 'u', '0', 'file'), 'of the daemon')
  const bait = await startBait(join(home, 'bait'))
  makeTemplate(template)
  const warm = new WarmHosts({ privilege: as, network: 'none' })
  for (const [number, run] of runs.entries()) {
    const bench = new Bench({ run, number, bait, warm })
    for (const each of chosenFor(as, run)) process.send?.({ run: number, ...(await bench.judge(each)) })
    await bench.close()
  }
  await warm[Symbol.asyncDispose]()
  await bait[Symbol.asyncDispose]()
  process.disconnect()
}

function chosenFor(user: CorpusRuns['as'], run: CorpusRun): readonly CorpusCase[] {
  const all = (run.everyday === true ? everyday : corpus).filter(({ as }) => (as ?? user) === user || isRunAs(run, as))
  return all.filter(({ name }) => run.only?.some((prefix) => name.startsWith(prefix)) ?? true)
}

/** Commands of a root daemon that run as an ordinary user have that user's cases. */
function isRunAs({ restrictions }: CorpusRun, as: CorpusCase['as']): boolean {
  return restrictions.runAs !== undefined && as === 'user'
}

interface BenchParts {
  readonly run: CorpusRun
  readonly number: number
  readonly bait: Bait
  readonly warm: WarmHosts
}

type Verdict = Omit<CorpusVerdict, 'run'>

class Bench {
  readonly #run: CorpusRun
  readonly #number: number
  readonly #bait: Bait
  readonly #warm: WarmHosts
  #sandbox: Sandbox | undefined
  #cases = 0
  #count = 0

  constructor({ run, number, bait, warm }: BenchParts) {
    this.#run = run
    this.#number = number
    this.#bait = bait
    this.#warm = warm
  }

  /** Runs one case, where it can be run here, in a tree of its own. */
  async judge(each: CorpusCase): Promise<Verdict> {
    const missing = (each.needs ?? []).find((need) =>
      need === 'namespaces' ? this.#run.tier === 'landlock' : !isThere(need),
    )
    if (missing !== undefined) return { name: each.name, harm: '', missing }
    const victim = join(home, 'v', `${this.#number}-${this.#cases++}`)
    mkdirSync(join(home, 'v'), { recursive: true })
    execFileSync('cp', ['-a', template, victim])
    return this.#judge(each, victim)
  }

  /** Runs it and looks at the real disk, the services and the process outside. */
  async #judge(each: CorpusCase, victim: string): Promise<Verdict> {
    const own = () => snapshot([victim, '/etc/passwd'])
    const shows = () =>
      snapshot([...places, this.#bait.dropFolder, join(daemonFolder, 'other'), secret], { contents: false })
    const held = spawn('sh', ['-c', 'exec 9<> held.txt; exec sleep 1000'], {
      cwd: victim,
      stdio: 'ignore',
      detached: true,
    })
    await once(held, 'spawn')
    const before = { victim: own(), shared: shows(), machine: machineState() }
    const isEnded = new Promise<boolean>((resolve) => held.once('exit', () => resolve(true)))
    const { output, exitCode, sandbox } = await this.#execute(each, victim, held.pid ?? 0)
    if (each.name.startsWith('delayed')) await new Promise((resolve) => setTimeout(resolve, 600))
    const letters = new Set<string>()
    const settled = await this.#settle(sandbox, own, before.victim)
    for (const letter of settled.harm + harmBetween(before.shared, shows(), { isShared: true })) letters.add(letter)
    if (await this.#bait.wasReached()) letters.add('S')
    if (await Promise.race([isEnded, new Promise<boolean>((resolve) => setTimeout(resolve, 5, false))]))
      letters.add('K')
    if (output.includes('ESCAPED') || before.machine !== machineState()) letters.add('E')
    held.kill('SIGKILL')
    return {
      name: each.name,
      harm: [...letters].toSorted().join('') || '.',
      exitCode,
      verdict: settled.verdict,
      said: output.trim().slice(0, 300),
    }
  }

  async close(): Promise<void> {
    await this.#sandbox?.discard()
  }

  async #execute(each: CorpusCase, victim: string, pid: number): Promise<Ran & { sandbox: Sandbox | undefined }> {
    const env = { ...this.#bait.env, ...variables(victim), VPID: String(pid) }
    const inherits = each.name.startsWith('descriptors')
    const descriptors = inherits ? [inherit(join(victim, 'a.txt'), 63, 2), inherit(victim, 62, 0)] : []
    try {
      if (Object.keys(this.#run.restrictions).length === 0)
        return { ...(await runPlainly(each.script, victim, env)), sandbox: undefined }
      const sandbox = await this.#open(victim, inherits)
      const cwd = this.#run.restrictions.runAs === undefined ? victim : '/'
      return { ...(await runIn(sandbox, each.script, cwd, env)), sandbox }
    } finally {
      for (const descriptor of descriptors) libc().close(descriptor)
    }
  }

  /** One for all cases where none of them leaves anything, a new one each where effects are applied. */
  async #open(cwd: string, isNew: boolean): Promise<Sandbox> {
    const { restrictions, tier, without } = this.#run
    if (this.#sandbox !== undefined && (isNew || restrictions.noDelete === true)) {
      await this.#sandbox.discard()
      this.#sandbox = undefined
    }
    this.#sandbox ??= await openSandbox(restrictions, {
      folder: daemonFolder,
      cwd,
      id: `run-${this.#number}-${this.#count++}`,
      // A host that was started before would not inherit what this process opened since.
      ...(!isNew && { warm: this.#warm }),
      ...(tier && { tier }),
      ...(without && { without }),
    })
    return this.#sandbox
  }

  /** What a case did to its victim, after a transaction was judged and applied. */
  async #settle(
    sandbox: Sandbox | undefined,
    own: () => Snapshot,
    before: Snapshot,
  ): Promise<{ harm: string; verdict: string }> {
    const harm = () => harmBetween(before, own())
    if (sandbox?.view === undefined || this.#run.restrictions.noDelete !== true)
      return { harm: harm(), verdict: 'none' }
    await sandbox.freeze()
    const effects = await computeEffects(sandbox.view, { deferred: { extra: [this.#bait.dropFolder] } })
    const { verdict } = judge(effects, this.#run.restrictions)
    if (verdict === 'refuse' || effects.effects.length === 0)
      return { harm: harm(), verdict: verdict === 'refuse' ? JSON.stringify(effects.violations.slice(0, 3)) : 'none' }
    const journals = join(OUTER_STATE, 'journals')
    try {
      await applyEffect(sandbox.view, effects.hash, { journals })
    } catch (error) {
      return { harm: harm(), verdict: String(error) }
    }
    const done = harm()
    if (done === '' || done.includes('P')) return { harm: done, verdict: 'apply' }
    await undoEffect(sandbox.view.id, { journals })
    return { harm: harm() === '' ? 'u' : done, verdict: 'apply' }
  }
}

interface Ran {
  readonly output: string
  readonly exitCode: number | null
}

/** Without a sandbox, but where a mount cannot take the world down. */
async function runPlainly(script: string, cwd: string, env: Record<string, string>): Promise<Ran> {
  const [file, ...before] =
    process.getuid?.() === 0 ? (['unshare', '-m', '--propagation', 'private', '--'] as const) : (['env'] as const)
  const child = spawn(file, [...before, 'sh', '-c', script], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  return outputOf(
    child,
    once(child, 'exit').then(([exitCode]) => ({ exitCode: exitCode as number | null })),
    () => child.kill('SIGKILL'),
  )
}

async function runIn(sandbox: Sandbox, script: string, cwd: string, env: Record<string, string>): Promise<Ran> {
  const child = await sandbox.spawn({ file: 'sh', args: ['-c', script], cwd, env, stdin: false })
  return outputOf(child, child.exit, () => child.kill('SIGKILL'))
}

const MOST_MS = 20_000

async function outputOf(
  streams: { stdout: NodeJS.ReadableStream; stderr: NodeJS.ReadableStream },
  exit: Promise<{ exitCode: number | null }>,
  kill: () => void,
): Promise<Ran> {
  const pieces: string[] = []
  for (const stream of [streams.stdout, streams.stderr])
    stream.on('data', (data: Buffer) => pieces.push(data.toString().slice(0, 10_000)))
  const timer = setTimeout(kill, MOST_MS)
  const { exitCode } = await exit
  clearTimeout(timer)
  await new Promise((resolve) => setTimeout(resolve, 10))
  return { output: pieces.join(''), exitCode }
}

/** Opens a file so that every program started later has it too. */
function inherit(path: string, at: number, flags: number): number {
  const descriptor = libc().open(path, flags, 0)
  const copy = libc().fcntl(descriptor, 0, at)
  libc().close(descriptor)
  return copy
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

function variables(victim: string): Record<string, string> {
  const git = { GIT_AUTHOR_NAME: 'x', GIT_AUTHOR_EMAIL: 'x@y', GIT_COMMITTER_NAME: 'x', GIT_COMMITTER_EMAIL: 'x@y' }
  return {
    PATH,
    HOME: home,
    H: home,
    V: victim,
    T: TOOLS,
    STATE: daemonFolder,
    SECRET: secret,
    PY: '/usr/bin/python3',
    NODE: process.execPath,
    LC_ALL: 'C',
    ...git,
  }
}

function isThere(need: string): boolean {
  if (need === 'gcc-tools') return existsSync(join(TOOLS, 'raw'))
  if (need === 'x64') return process.arch === 'x64'
  if (need === 'datagram-bait') return existsSync(join(home, 'bait', 'datagrams'))
  if (need === 'setcap' && !existsSync(join(TOOLS, 'cap-rm'))) return false
  return PATH.split(':').some((folder) => existsSync(join(folder, need)))
}

await main(JSON.parse(process.argv.at(-1) ?? '{}') as CorpusRuns)
