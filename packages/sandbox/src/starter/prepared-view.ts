import { randomUUID } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { writeOwnMtime } from '../disk/attributes.ts'
import { readState, sameOwnerAndMode } from '../disk/entry-state.ts'
import { sameXattrs } from '../disk/xattrs.ts'
import { splitNotes } from '../effects/overlay-notes.ts'
import { dataMounts } from '../host/mount-table.ts'
import type { HostPlan, ViewReport } from '../host/plan.ts'
import { removeTree } from '../remove-tree.ts'
import { writeMarker } from '../view-marker.ts'
import type { HostProcess } from './host-process.ts'

/** A plan without the state folder, which is another one each time. */
export type PlanOfView = Omit<HostPlan, 'state'>

/** A host in its view, in which nothing has run. */
export interface EnteredHost {
  readonly host: HostProcess
  readonly report: ViewReport
}

/**
 * A view that was built ahead of the command that it will be for. It is handed out only when it is what would be built now:
 * same plan, same mounts, same directories. What was looked up in it are its mount points alone, so commands see the disk of now.
 */
export class PreparedView implements AsyncDisposable {
  readonly #host: HostProcess
  readonly #report: ViewReport
  readonly #state: string
  readonly #plan: PlanOfView
  readonly #machine: string

  private constructor(parts: {
    host: HostProcess
    report: ViewReport
    state: string
    plan: PlanOfView
    machine: string
  }) {
    this.#host = parts.host
    this.#report = parts.report
    this.#state = parts.state
    this.#plan = parts.plan
    this.#machine = parts.machine
  }

  /** Has a host build the view, with its state in a folder of its own in `folder`. Rejects, and nothing is left, where it is refused. */
  static async build(host: HostProcess, plan: PlanOfView, folder: string): Promise<PreparedView> {
    const state = join(folder, `prepared-${randomUUID()}`)
    const machine = stateOfMachine(plan)
    try {
      mkdirSync(state, { mode: 0o700, recursive: true })
      const report = await host.enter({ ...plan, state })
      await rehearse(host)
      return new PreparedView({ host, report, state, plan, machine })
    } catch (error) {
      await host[Symbol.asyncDispose]()
      await removeTree(state)
      throw error
    }
  }

  /** Hands it out, with its state as the new folder `state`, its marker in it; undefined when it is not what is wanted. */
  take(plan: PlanOfView, state: string): EnteredHost | undefined {
    if (this.#host.isGone || existsSync(state) || dirname(state) !== dirname(this.#state)) return undefined
    writeMarker(this.#state)
    if (!this.#fits(plan)) return undefined
    // The mounts hold on to the directories, wherever they are; the command sees neither name.
    renameSync(this.#state, state)
    const layers = this.#report.layers.map(({ root, upper }) => ({ root, upper: upper.replace(this.#state, state) }))
    return { host: this.#host, report: { ...this.#report, layers } }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host[Symbol.asyncDispose]()
    await removeTree(this.#state)
  }

  #fits(plan: PlanOfView): boolean {
    if (JSON.stringify(plan) !== JSON.stringify(this.#plan) || stateOfMachine(plan) !== this.#machine) return false
    const flavour = plan.privilege === 'root' ? 'trusted' : 'user'
    return this.#report.layers.every((layer) => renewRoot(layer, flavour))
  }
}

/**
 * Has the host's code go once the way that the first command would wait for, with a program that is nowhere: one that is there would
 * be looked up in the view, and what was looked up is not looked up again.
 */
async function rehearse(host: HostProcess): Promise<void> {
  const nothing = { file: `/cmdop-${randomUUID()}`, args: [], cwd: '/', env: {}, stdin: false }
  await host.spawn(nothing).catch(() => {})
  await host.freeze()
  host.thaw()
}

/**
 * What a view is built from, beside its plan: the mounts, and which directories the paths of the plan are. For an ordinary user
 * also the entries of directories that are covered one by one.
 */
function stateOfMachine({ privilege, hidden, roots, writable = [], scratch, shared }: PlanOfView): string {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
  const listed = privilege === 'root' ? [] : ['/', ...dataMounts(mounts).flatMap(({ path }) => ancestors(path))]
  return JSON.stringify([
    mounts,
    [...hidden, ...roots, ...writable, ...scratch, ...(shared === undefined ? [] : [shared])].map((path) =>
      identity(path),
    ),
    [...new Set(listed)].map((path) => identity(path, true)),
  ])
}

function ancestors(path: string): readonly string[] {
  const above = dirname(path)
  return above === path ? [] : [above, ...ancestors(above)]
}

function identity(path: string, withTime = false): string {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  return stats === undefined ? '' : `${stats.dev} ${stats.ino} ${withTime ? stats.mtimeNs : ''}`
}

/** The root of an overlay has the attributes of its upper directory. False where others than its time are different by now. */
function renewRoot({ root, upper }: ViewReport['layers'][number], flavour: 'trusted' | 'user'): boolean {
  const [real, made] = [readState(Buffer.from(root)), readState(Buffer.from(upper))]
  if (real === undefined || made === undefined) return false
  const wanted = splitNotes(real.xattrs, flavour).own
  // An ordinary user cannot give every owner.
  const owner = flavour === 'user' ? { uid: made.uid, gid: made.gid } : {}
  if (!sameOwnerAndMode({ ...real, ...owner }, made) || !sameXattrs(wanted, splitNotes(made.xattrs, flavour).own))
    return false
  if (real.mtimeNs !== made.mtimeNs) writeOwnMtime(Buffer.from(upper), real.mtimeNs)
  return true
}
