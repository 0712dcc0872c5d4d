import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Restrictions } from '@cmdop/protocol'
import type { HostPlan, ProgramRequest, ViewReport } from './host/plan.ts'
import {
  type SandboxPlan,
  type Tier,
  mainRestriction,
  needsNamespaces,
  planRestrictions,
} from './restrictions/plan-restrictions.ts'
import { situationOf, withRealPaths } from './restrictions/situation.ts'
import { explain, unenforceable } from './restrictions/unenforceable.ts'
import { removeTree } from './remove-tree.ts'
import { HostProcess } from './starter/host-process.ts'
import { HostRefusal } from './starter/refusal.ts'
import type { SandboxProcess, SandboxTerminal } from './starter/sandbox-process.ts'
import { watchSize } from './view-size.ts'
import type { WarmHosts } from './starter/warm-hosts.ts'
import type { View } from './view.ts'

/** How a sandbox is opened. */
export interface SandboxOptions {
  /** Folder of the daemon for state folders; 0700, on ext4, xfs, btrfs or tmpfs. Commands see nothing of it. */
  readonly folder: string
  /** Where commands will start; for an ordinary user this decides what is changeable in the view. */
  readonly cwd: string
  /** Directories that commands must not see, such as the daemon's own. */
  readonly hidden?: readonly string[]
  /** Hosts that were started before. */
  readonly warm?: WarmHosts
  /** Id of the transaction: `[A-Za-z0-9_-]{1,64}`. Default: a random one. */
  readonly id?: string
  /** Only this way of holding the restrictions. Default: namespaces, and Landlock where they are missing and it suffices. */
  readonly tier?: Tier
  /** Layers left out, to prove in a test that each is needed. */
  readonly without?: HostPlan['without']
}

/** A program for {@link Sandbox.spawn}. */
export type SandboxRequest = Pick<ProgramRequest, 'file' | 'args' | 'cwd' | 'env' | 'stdin'>

/** A program for {@link Sandbox.openPty}. */
export type SandboxPtyRequest = Omit<SandboxRequest, 'stdin'> & {
  readonly size: { readonly columns: number; readonly rows: number }
}

/** How a view ended. */
export interface FrozenView {
  /** Processes that were still there and were not started by `spawn` or `openPty`. */
  readonly backgroundKilled: number
  /** Packets that found no way out of the view. */
  readonly networkAttempts: number
}

/** A place where commands run under restrictions that the kernel holds. Ends with `close`, or with this process. */
export interface Sandbox extends AsyncDisposable {
  readonly id: string
  readonly tier: Tier
  readonly restrictions: Restrictions
  /** What stays within reach, in sentences for a person. */
  readonly holes: readonly string[]
  /** The changes of a transaction; undefined where the restrictions keep none. */
  readonly view: View | undefined
  /** Resolves when the host is gone and everything in it. Never rejects. */
  readonly gone: Promise<void>
  /** Starts a program over pipes. Rejects with `command_not_found` or `exec_failed`. */
  spawn(request: SandboxRequest): Promise<SandboxProcess>
  /** Starts a program in a pseudo-terminal of the view. Rejects as `spawn` does, and with `unsupported`. */
  openPty(request: SandboxPtyRequest): Promise<SandboxTerminal>
  /** Ends every process in it, and waits until none is left; the view stays as it is then. */
  freeze(): Promise<FrozenView>
  /** Ends everything. The state folder of a transaction stays, for its effect; any other is removed. Idempotent. */
  close(): Promise<void>
  /** Ends everything, and forgets the changes. */
  discard(): Promise<void>
}

/**
 * Opens a place for commands under restrictions. Rejects with `restriction_unenforceable` where this machine cannot hold
 * one of them; nothing ran then.
 */
export async function openSandbox(restrictions: Restrictions, options: SandboxOptions): Promise<Sandbox> {
  const wanted = withRealPaths(restrictions)
  const situation = await situationOf(wanted, [options.cwd], [options.folder, ...(options.hidden ?? [])])
  const tiers: readonly Tier[] = options.tier === undefined ? ['namespaces', 'landlock'] : [options.tier]
  let refusal: HostRefusal | undefined
  for (const tier of tiers) {
    const missing = tier === 'landlock' ? needsNamespaces(wanted) : undefined
    if (missing !== undefined)
      throw unenforceable(refusal === undefined ? noNamespaces(missing) : explain(missing, refusal), refusal)
    try {
      return await open(wanted, planRestrictions(wanted, situation, tier), options)
    } catch (error) {
      // A sandbox that was built but is not proven is a fault, not a missing piece.
      if (!(error instanceof HostRefusal) || error.step === 'self-test' || tier === tiers.at(-1))
        throw refused(error, wanted)
      refusal = error
    }
  }
  throw unenforceable(noNamespaces(mainRestriction(wanted)))
}

function refused(error: unknown, restrictions: Restrictions): unknown {
  return error instanceof HostRefusal ? unenforceable(explain(mainRestriction(restrictions), error), error) : error
}

function noNamespaces(restriction: string) {
  return {
    restriction,
    missing: 'namespaces in this way of holding it',
    step: 'plan',
    fix: 'Leave the choice of the way open.',
  }
}

async function open(restrictions: Restrictions, plan: SandboxPlan, options: SandboxOptions): Promise<Sandbox> {
  const id = options.id ?? randomUUID()
  const folder = join(options.folder, id)
  await mkdir(folder, { mode: 0o700, recursive: true })
  const marker = join(folder, 'marker')
  await writeFile(marker, '')
  const host = (await options.warm?.take(plan.kind)) ?? (await startOrRemove(plan, folder))
  try {
    const { without } = options
    const report = await host.enter({ ...plan.host, state: folder, ...(without && { without }) })
    return new HostSandbox({ id, folder, marker, host, plan, restrictions, report })
  } catch (error) {
    await host[Symbol.asyncDispose]()
    await removeTree(folder)
    throw error
  }
}

async function startOrRemove(plan: SandboxPlan, folder: string): Promise<HostProcess> {
  try {
    return await HostProcess.start(plan.kind)
  } catch (error) {
    await removeTree(folder)
    throw error
  }
}

interface Parts {
  readonly id: string
  readonly folder: string
  readonly marker: string
  readonly host: HostProcess
  readonly plan: SandboxPlan
  readonly restrictions: Restrictions
  readonly report: ViewReport
}

class HostSandbox implements Sandbox {
  readonly #parts: Parts
  readonly #watch: Disposable | undefined
  readonly view: View | undefined

  constructor(parts: Parts) {
    this.#parts = parts
    this.view = parts.plan.isTransaction ? viewOf(parts) : undefined
    const limit = parts.restrictions.limits?.viewBytes
    const uppers = parts.report.layers.map(({ upper }) => upper)
    if (limit !== undefined)
      this.#watch = watchSize(uppers, limit, () => {
        // Where the host is gone already, there is nothing to end.
        this.freeze().catch(() => {})
      })
  }

  get id(): string {
    return this.#parts.id
  }

  get tier(): Tier {
    return this.#parts.plan.tier
  }

  get restrictions(): Restrictions {
    return this.#parts.restrictions
  }

  get holes(): readonly string[] {
    return this.#parts.plan.holes
  }

  get gone(): Promise<void> {
    return this.#parts.host.gone
  }

  spawn(request: SandboxRequest): Promise<SandboxProcess> {
    return this.#parts.host.spawn({ ...request, ...this.#limits() })
  }

  openPty({ size, ...request }: SandboxPtyRequest): Promise<SandboxTerminal> {
    return this.#parts.host.openTerminal({ ...request, terminal: size, ...this.#limits() })
  }

  async freeze(): Promise<FrozenView> {
    const { killed, networkAttempts } = await this.#parts.host.freeze()
    return { backgroundKilled: killed, networkAttempts }
  }

  async close(): Promise<void> {
    this.#watch?.[Symbol.dispose]()
    await this.#parts.host[Symbol.asyncDispose]()
    if (this.view === undefined) await removeTree(this.#parts.folder)
  }

  async discard(): Promise<void> {
    await this.close()
    await removeTree(this.#parts.folder)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #limits() {
    const { limits } = this.#parts.restrictions
    return limits === undefined ? {} : { limits }
  }
}

function viewOf({ id, folder, marker, plan, report }: Parts): View {
  const { layers, unpreviewable, thread } = report
  return {
    id,
    folder,
    layers,
    marker,
    hostPid: thread,
    unpreviewable,
    flavour: plan.kind.privilege === 'root' ? 'trusted' : 'user',
  }
}
