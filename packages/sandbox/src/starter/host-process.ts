import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { constants } from 'node:os'
import { CmdopError } from '@cmdop/protocol'
import { descriptorPair, receiveDescriptors, sendDescriptors } from '../host/descriptor-socket.ts'
import { libc } from '../host/libc.ts'
import {
  FROZEN,
  type Frozen,
  type HostCommand,
  type HostEvent,
  type HostPlan,
  type ProgramRequest,
  type ViewReport,
} from '../host/plan.ts'
import type { SandboxExit, SandboxProcess, SandboxTerminal } from './sandbox-process.ts'
import { hostProgram } from './host-program.ts'
import { HostRefusal, refusalOf } from './refusal.ts'

/** In which namespaces a host lives; they are its from the start. */
export interface HostKind {
  readonly privilege: HostPlan['privilege']
  readonly network: HostPlan['network']
}

/** What is asked of a host that answers. */
type Ask = HostCommand & { type: 'view' | 'start' | 'freeze' }

const O_CLOEXEC = 0o2000000

/** Milliseconds until a host must have started; a loaded machine takes a while. */
const START_MS = 20_000

/** A host that was started, from outside: it is told what to do and says what came of it. */
export class HostProcess implements AsyncDisposable {
  readonly kind: HostKind
  /** Resolves when the host is gone, and with it every process and mount of its view. Never rejects. */
  readonly gone: Promise<void>
  readonly #child: ChildProcess
  readonly #descriptors: number
  #errors = ''
  readonly #exits = new Map<number, PromiseWithResolvers<SandboxExit>>()
  readonly #starts = new Map<number, (event: Extract<HostEvent, { id: number }>) => void>()
  /** Of those who wait, in the order in which they asked; the host answers in that order. */
  readonly #answers: ((event: HostEvent | undefined) => void)[] = []
  #pid = 0
  #isGone = false
  /** When everything was ended, until the thaw. */
  #frozen: Promise<Frozen> | undefined
  #nextId = 1

  private constructor(kind: HostKind) {
    this.kind = kind
    const [ours, theirs] = descriptorPair()
    this.#descriptors = ours
    const [command, ...args] = commandLine(kind)
    // Its environment has nothing of the daemon's: commands could read what it has.
    const env = {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      LC_ALL: 'C',
      MALLOC_ARENA_MAX: '1',
    }
    this.#child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe', 'ipc', theirs], env, cwd: '/' })
    closeSync(theirs)
    this.#child.stderr?.on('data', (data: Buffer) => (this.#errors = lastOf(this.#errors + data.toString())))
    this.#child.on('message', (event: HostEvent) => this.#heard(event))
    this.gone = new Promise((resolve) => {
      this.#child.once('error', (error) => this.#end(error, resolve))
      this.#child.once('close', () => this.#end(undefined, resolve))
    })
  }

  /** Starts a host that waits for its plan. Throws a {@link HostRefusal} where the system does not let it. */
  static async start(kind: HostKind): Promise<HostProcess> {
    const host = new HostProcess(kind)
    const timer = setTimeout(() => host.kill(), START_MS)
    try {
      const event = await host.#next()
      if (event.type === 'up') host.#pid = event.pid
      return host
    } finally {
      clearTimeout(timer)
    }
  }

  /** Its id here. */
  get pid(): number {
    return this.#pid
  }

  get isGone(): boolean {
    return this.#isGone
  }

  /** Has the view built. Throws a {@link HostRefusal}, and the host is of no use any more, when that failed or is not proven. */
  async enter(plan: HostPlan): Promise<ViewReport> {
    const event = await this.#ask({ type: 'view', plan })
    if (event.type === 'ready') return event.report
    this.kill()
    throw event.type === 'refused' ? new HostRefusal(event.step, event.errno) : refusalOf('')
  }

  /** Starts a program over pipes. Rejects with `command_not_found` or `exec_failed`. */
  async spawn(request: Omit<ProgramRequest, 'id' | 'terminal'>): Promise<SandboxProcess> {
    const pipes = openPipes(request.stdin ? 3 : 2)
    const theirs = pipes.map((ends, at) => (request.stdin && at === 0 ? ends.reading : ends.writing))
    const ours = pipes.map((ends, at) => (request.stdin && at === 0 ? ends.writing : ends.reading))
    try {
      const pid = await this.#start({ ...request, id: this.#nextId++ }, theirs)
      const streams = ours.map(
        (fd, at) => new Socket({ fd, readable: !(request.stdin && at === 0), writable: request.stdin && at === 0 }),
      )
      const [stdout, stderr] = streams.slice(-2) as [Socket, Socket]
      return { ...this.#process(pid), stdin: request.stdin ? (streams[0] ?? null) : null, stdout, stderr }
    } catch (error) {
      for (const fd of ours) closeSync(fd)
      throw error
    }
  }

  /** Starts a program in a new pseudo-terminal of the view. Rejects as {@link HostProcess.spawn} does. */
  async openTerminal(request: Omit<ProgramRequest, 'id' | 'stdin'>): Promise<SandboxTerminal> {
    const id = this.#nextId++
    const pid = await this.#start({ ...request, id, stdin: true }, undefined)
    const received = receiveDescriptors(this.#descriptors)
    const [master, slave] = received?.id === id ? received.descriptors : []
    if (master === undefined || slave === undefined) {
      for (const end of received?.descriptors ?? []) closeSync(end)
      this.#process(pid).kill('SIGKILL')
      throw new CmdopError('exec_failed', 'The terminal of the program did not arrive.')
    }
    return { ...this.#process(pid), master, slave }
  }

  /** Ends every process of the view, and waits until none is left. From then on none is started; once more, the same answer. */
  freeze(): Promise<Frozen> {
    this.#frozen ??= this.#ask({ type: 'freeze' }).then((event) =>
      event.type === 'frozen' ? event.frozen : { killed: 0, networkAttempts: 0 },
    )
    return this.#frozen
  }

  /** After `freeze`: programs may be started again. */
  thaw(): void {
    this.#frozen = undefined
    this.#send({ type: 'thaw' })
  }

  /** Ends the host at once, and with it its view. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill()
    await this.gone
  }

  #process(pid: number) {
    const exit = this.#exits.get(pid)?.promise ?? Promise.resolve(KILLED)
    this.#forgetWhenOver(pid, exit)
    return { pid, exit, kill: (signal: NodeJS.Signals) => this.#send({ type: 'kill', pid, signal }) }
  }

  /** The id may be another program's by then. */
  #forgetWhenOver(pid: number, exit: Promise<SandboxExit>): void {
    void exit.then(() => {
      if (this.#exits.get(pid)?.promise === exit) this.#exits.delete(pid)
    })
  }

  async #start(request: ProgramRequest, ends: readonly number[] | undefined): Promise<number> {
    const answer = new Promise<Extract<HostEvent, { id: number }>>((resolve) => this.#starts.set(request.id, resolve))
    // The descriptor of a host that is gone may be something else's by now.
    const isSent = !this.#isGone && (ends === undefined || sendDescriptors(this.#descriptors, request.id, ends))
    for (const end of ends ?? []) closeSync(end)
    if (isSent) this.#send({ type: 'start', request })
    else this.#heard({ type: 'not-started', id: request.id, errno: 'EPIPE' })
    const event = await answer
    if (event.type === 'started') return event.pid
    if (event.errno === 'ENOENT')
      throw new CmdopError(
        'command_not_found',
        `There is no program ${request.file} in the view, or no directory ${request.cwd}.`,
      )
    if (event.errno === FROZEN)
      throw new CmdopError(
        'conflict',
        'Nothing was started: the changes of the view are being decided on. Try again when that is over.',
      )
    throw new CmdopError('exec_failed', `The program ${request.file} could not be started: ${event.errno}.`, {
      details: { errno: event.errno },
    })
  }

  #ask(command: Ask): Promise<HostEvent> {
    this.#send(command)
    return this.#next()
  }

  async #next(): Promise<HostEvent> {
    const event = this.#isGone
      ? undefined
      : await new Promise<HostEvent | undefined>((resolve) => void this.#answers.push(resolve))
    if (event === undefined) throw refusalOf(this.#errors)
    return event
  }

  #send(command: HostCommand): void {
    if (this.#child.connected) this.#child.send(command, () => {})
  }

  #heard(event: HostEvent): void {
    if (event.type === 'exit') {
      if (event.frozen !== undefined) this.#frozen ??= Promise.resolve(event.frozen)
      this.#exits.get(event.pid)?.resolve(decode(event.status))
    } else if ('id' in event) {
      // Its end may come with the next message, before the caller has a turn.
      if (event.type === 'started') this.#exits.set(event.pid, Promise.withResolvers())
      this.#starts.get(event.id)?.(event)
      this.#starts.delete(event.id)
    } else this.#answers.shift()?.(event)
  }

  #end(error: Error | undefined, resolve: () => void): void {
    if (this.#isGone) return
    this.#isGone = true
    if (error !== undefined) this.#errors += error.message
    closeSync(this.#descriptors)
    for (const exit of this.#exits.values()) exit.resolve(KILLED)
    for (const [id, answer] of this.#starts) answer({ type: 'not-started', id, errno: 'ESRCH' })
    for (const answer of this.#answers.splice(0)) answer(undefined)
    resolve()
  }
}

const KILLED: SandboxExit = { exitCode: null, signal: 'SIGKILL' }

/** Flags of unshare(1) of util-linux. */
function commandLine({ privilege, network }: HostKind): [string, ...string[]] {
  const node = [process.execPath, '--max-semi-space-size=1', '--v8-pool-size=0', '--no-node-snapshot', hostProgram()]
  if (privilege === 'none') return node as [string, ...string[]]
  const user = privilege === 'user' ? ['--user', '--map-current-user', '--keep-caps'] : []
  const net = network === 'none' ? ['--net'] : []
  return [
    'unshare',
    ...user,
    '--mount',
    '--pid',
    '--ipc',
    '--uts',
    ...net,
    '--fork',
    '--kill-child',
    '--propagation',
    'private',
    '--',
    ...node,
  ]
}

/** All of them, or none. */
function openPipes(count: number): ReturnType<typeof pipe>[] {
  const pipes: ReturnType<typeof pipe>[] = []
  try {
    while (pipes.length < count) pipes.push(pipe())
    return pipes
  } catch (error) {
    for (const { reading, writing } of pipes) for (const end of [reading, writing]) closeSync(end)
    throw error
  }
}

/** What a host says of itself is short; what it says last says why it ended. */
function lastOf(text: string): string {
  return text.slice(-4096)
}

function pipe(): { reading: number; writing: number } {
  const ends = new Int32Array(2)
  if (libc().pipe2(ends, O_CLOEXEC) !== 0)
    throw new CmdopError('exec_failed', 'There are no descriptors left for the pipes of a program.')
  return { reading: ends[0] ?? -1, writing: ends[1] ?? -1 }
}

/** The status of wait(2): the signal in the low seven bits, or the exit code in the next eight. */
function decode(status: number): SandboxExit {
  const number = status & 0x7f
  if (number === 0) return { exitCode: (status >> 8) & 0xff, signal: null }
  const entry = Object.entries(constants.signals).find(([, value]) => value === number)
  return { exitCode: null, signal: (entry?.[0] as NodeJS.Signals | undefined) ?? 'SIGKILL' }
}
