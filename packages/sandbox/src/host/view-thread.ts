import { closeSync, readlinkSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import { buildView } from './build-view.ts'
import { libc, StepError } from './libc.ts'
import { dataMounts } from './mount-table.ts'
import type { HostPlan, ProgramRequest, ViewReport } from './plan.ts'
import { dropPrivileges } from './privileges.ts'
import { NotStarted, type Terminal, openTerminal, startProgram } from './programs.ts'
import { proveSandbox } from './self-test.ts'

/** From the host's main thread. Descriptors are of the whole process. */
export type ToThread =
  | { readonly type: 'view'; readonly plan: HostPlan }
  | { readonly type: 'start'; readonly request: ProgramRequest; readonly ends: readonly number[] }

/** To the main thread. */
export type FromThread =
  /** `rehearsed`: the program that was started to have it done once. */
  | { readonly type: 'up'; readonly thread: number; readonly rehearsed: number | undefined }
  | { readonly type: 'ready'; readonly report: Omit<ViewReport, 'thread'> }
  | { readonly type: 'refused'; readonly step: string; readonly errno: string }
  | { readonly type: 'started'; readonly id: number; readonly pid: number; readonly terminal?: Terminal }
  | { readonly type: 'not-started'; readonly id: number; readonly errno: string }

const PR_SET_DUMPABLE = 4

/**
 * The thread of the host whose programs are in the view. It moves there, drops its rights, proves that, and from then on
 * only starts what it is told. It uses calls that act at once only: Node's other calls run on threads that are outside.
 */
function serve(): void {
  const port = parentPort
  if (port === null) throw new Error('This module is a thread of the sandbox host.')
  const answer = (event: FromThread) => port.postMessage(event)
  const rehearsed = rehearse()
  // This /proc is still the starter's, and so are its ids.
  answer({ type: 'up', thread: Number(readlinkSync('/proc/thread-self').split('/').at(-1)), rehearsed })
  port.on('message', (message: ToThread) => {
    if (message.type === 'view') answer(enter(message.plan))
    else answer(start(message.request, message.ends))
  })
}

/** Loads and compiles now what the first command would wait for. */
function rehearse(): number | undefined {
  dataMounts()
  try {
    return startProgram(
      { id: 0, file: 'true', args: [], cwd: '/', env: { PATH: '/usr/bin:/bin' }, stdin: false },
      [-1, -1, -1],
    )
  } catch {
    // It shows with the first command, if it matters.
    return undefined
  }
}

function enter(plan: HostPlan): FromThread {
  try {
    const built = plan.privilege === 'none' ? { layers: [], unpreviewable: [] } : buildView(plan)
    libc().prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    dropPrivileges(plan)
    // What a test leaves out cannot be proven.
    if (plan.without === undefined) proveSandbox(plan)
    return { type: 'ready', report: built }
  } catch (error) {
    if (error instanceof StepError) return { type: 'refused', step: error.step, errno: error.errno }
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    return { type: 'refused', step: String(error), errno: code }
  }
}

function start(request: ProgramRequest, ends: readonly number[]): FromThread {
  const { id } = request
  let terminal: Terminal | undefined
  try {
    terminal = request.terminal && openTerminal(request.terminal)
    const pid = startProgram(request, terminal ?? (request.stdin ? ends : [-1, ...ends]))
    return { type: 'started', id, pid, ...(terminal && { terminal }) }
  } catch (error) {
    if (terminal !== undefined) for (const end of [terminal.master, terminal.slave]) closeSync(end)
    const errno = error instanceof NotStarted || error instanceof StepError ? error.errno : String(error)
    return { type: 'not-started', id, errno }
  } finally {
    for (const end of ends) closeSync(end)
  }
}

serve()
