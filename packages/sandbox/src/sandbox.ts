import { randomUUID } from 'node:crypto'
import { chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { CmdopError, type Restrictions } from '@cmdop/protocol'
import { codeOf } from './disk/system-error.ts'
import type { HostPlan, ProgramRequest } from './host/plan.ts'
import { HostSandbox } from './host-sandbox.ts'
import {
  type SandboxPlan,
  type Tier,
  mainRestriction,
  needsNamespaces,
  planRestrictions,
} from './restrictions/plan-restrictions.ts'
import { situationOf, withRealPaths } from './restrictions/situation.ts'
import { type System, refuseSystem, thisSystem } from './restrictions/system.ts'
import { explain, unenforceable } from './restrictions/unenforceable.ts'
import { removeTree } from './remove-tree.ts'
import { ControlGroup } from './starter/control-group.ts'
import { type HostKind, HostProcess } from './starter/host-process.ts'
import type { EnteredHost } from './starter/prepared-view.ts'
import { HostRefusal } from './starter/refusal.ts'
import type { SandboxProcess, SandboxTerminal } from './starter/sandbox-process.ts'
import type { WarmHosts } from './starter/warm-hosts.ts'
import type { View } from './view.ts'
import { writeMarker } from './view-marker.ts'

/** How a sandbox is opened. */
export interface SandboxOptions {
  /** Folder of the daemon for state folders; 0700, on ext4, xfs, btrfs or tmpfs. Commands see nothing of it. */
  readonly folder: string
  /** Where commands will start; for an ordinary user this decides what is changeable in the view. */
  readonly cwd: string
  /** Directories that commands must not see, such as the daemon's own. */
  readonly hidden?: readonly string[]
  /**
   * A directory that commands may write to whatever the restrictions are, at {@link Sandbox.shared}: for what has to outlive a
   * view and is no change of the machine. It becomes that of the user whom they run as.
   */
  readonly shared?: string
  /** Hosts that were started before. */
  readonly warm?: WarmHosts
  /** Id of the transaction: `[A-Za-z0-9_-]{1,64}`. Default: a random one. */
  readonly id?: string
  /** Only this way of holding the restrictions. Default: namespaces, and Landlock where they are missing and it suffices. */
  readonly tier?: Tier
  /** Default: the one that this runs on. */
  readonly system?: System
  /** Layers left out, to prove in a test that each is needed. */
  readonly without?: HostPlan['without']
}

/** A program for {@link Sandbox.spawn}. */
export type SandboxRequest = Pick<ProgramRequest, 'file' | 'args' | 'cwd' | 'env' | 'stdin' | 'freezeAtEnd'>

/** A program for {@link Sandbox.openPty}. */
export type SandboxPtyRequest = Omit<SandboxRequest, 'stdin' | 'freezeAtEnd'> & {
  readonly size: { readonly columns: number; readonly rows: number }
}

/** How a view ended. */
export interface FrozenView {
  /** Processes that were still there and were not started by `spawn` or `openPty`. */
  readonly backgroundKilled: number
  /**
   * Attempts on a network that the view does not have: packets and connections without a route, and those to ports on which in the view
   * nobody listens (TCP, UDP). Unix sockets are not counted. 0 where the network is the machine's, and without namespaces.
   */
  readonly networkAttempts: number
  /** The limit that was reached, for which everything was ended. */
  readonly exceeded?: ExceededLimit
}

/** A limit of the sandbox as a whole. */
export type ExceededLimit = 'viewBytes'

/** A place where commands run under restrictions that the kernel holds. Ends with `close`, or with this process. */
export interface Sandbox extends AsyncDisposable {
  readonly id: string
  readonly tier: Tier
  readonly restrictions: Restrictions
  /** What stays within reach, in sentences for a person. */
  readonly holes: readonly string[]
  /** The changes of a transaction; undefined where the restrictions keep none. */
  readonly view: View | undefined
  /** Where commands have the directory of `SandboxOptions.shared`; undefined where it is not within their reach. */
  readonly shared: string | undefined
  /** Resolves when the host is gone and everything in it. Never rejects. */
  readonly gone: Promise<void>
  /** The limit that was reached. Everything was ended for it, and nothing is started any more. */
  readonly exceeded: ExceededLimit | undefined
  /** Starts a program over pipes. Rejects with `command_not_found`, `exec_failed`, or `no_space` when `exceeded`. */
  spawn(request: SandboxRequest): Promise<SandboxProcess>
  /** Starts a program in a pseudo-terminal of the view. Rejects as `spawn` does, and with `unsupported`. */
  openPty(request: SandboxPtyRequest): Promise<SandboxTerminal>
  /**
   * Ends every process in it, and waits until none is left; the view stays as it is then, and nothing is started in it until `thaw`:
   * that rejects with `conflict`. Rejects with `server` when the host is gone:
   * then nothing runs either, but what would be counted is not known.
   */
  freeze(): Promise<FrozenView>
  /** After `freeze`: programs may be started again. Nothing where a limit was exceeded. */
  thaw(): void
  /** Ends everything. The state folder of a transaction stays, for its effect; any other is removed. Idempotent. */
  close(): Promise<void>
  /** Ends everything, and forgets the changes. */
  discard(): Promise<void>
}

/**
 * Opens a place for commands under restrictions. Rejects with `restriction_unenforceable` where this machine cannot hold
 * one of them, with `no_space` where its folder has no room; nothing ran then.
 */
export async function openSandbox(restrictions: Restrictions, options: SandboxOptions): Promise<Sandbox> {
  refuseSystem(restrictions, options.system ?? thisSystem())
  const wanted = withRealPaths(restrictions)
  const { cwd, shared } = options
  const situation = await situationOf(wanted, {
    folders: [cwd],
    hidden: [options.folder, ...(options.hidden ?? [])],
    shared,
  })
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
  const code = codeOf(error)
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new CmdopError(
      'no_space',
      'There is no room for the changes of a sandbox in the folder of the daemon; nothing ran. Make room on its disk.',
      { cause: error },
    )
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
  const { without } = options
  const wanted = { ...plan.host, ...(without && { without }) }
  const { shared, user } = wanted
  if (shared !== undefined && user !== undefined) chownSync(shared, user.uid, user.gid)
  await using undo = new AsyncDisposableStack()
  const group = ControlGroup.forLimits(id, restrictions.limits)
  if (group !== undefined) undo.use(group)
  const entered =
    options.warm?.takeEntered({ kind: plan.kind, plan: wanted, state: folder, folder: options.folder }) ??
    (await enterNew(plan.kind, { ...wanted, state: folder }, options.warm))
  undo.defer(() => removeTree(folder))
  undo.use(entered.host)
  group?.add(entered.host.pid)
  undo.move()
  return new HostSandbox({ id, folder, plan, restrictions, group, ...entered })
}

async function enterNew(kind: HostKind, plan: HostPlan, warm: WarmHosts | undefined): Promise<EnteredHost> {
  try {
    mkdirSync(plan.state, { mode: 0o700, recursive: true })
    writeMarker(plan.state)
    const host = (await warm?.take(kind)) ?? (await HostProcess.start(kind))
    try {
      return { host, report: await host.enter(plan) }
    } catch (error) {
      await host[Symbol.asyncDispose]()
      throw error
    }
  } catch (error) {
    await removeTree(plan.state)
    throw error
  }
}
