import { CmdopError, type Restrictions } from '@cmdop/protocol'
import type { SandboxPlan, Tier } from './restrictions/plan-restrictions.ts'
import { removeTree } from './remove-tree.ts'
import type { ExceededLimit, FrozenView, Sandbox, SandboxPtyRequest, SandboxRequest } from './sandbox.ts'
import type { ControlGroup } from './starter/control-group.ts'
import type { EnteredHost } from './starter/prepared-view.ts'
import { HostRefusal } from './starter/refusal.ts'
import type { SandboxProcess, SandboxTerminal } from './starter/sandbox-process.ts'
import { watchSize } from './view-size.ts'
import { markerIn } from './view-marker.ts'
import type { View } from './view.ts'

/** What a sandbox is made of. */
interface Parts extends EnteredHost {
  readonly id: string
  readonly folder: string
  readonly plan: SandboxPlan
  readonly restrictions: Restrictions
  /** For bounds that hold for everything in it together. */
  readonly group: ControlGroup | undefined
}

/** A sandbox that is held by a host process. */
export class HostSandbox implements Sandbox {
  readonly #parts: Parts
  readonly #watch: Disposable | undefined
  readonly view: View | undefined
  #exceeded: ExceededLimit | undefined

  constructor(parts: Parts) {
    this.#parts = parts
    this.view = parts.plan.isTransaction ? viewOf(parts) : undefined
    const limit = parts.restrictions.limits?.viewBytes
    const { shared } = parts.plan.host
    const held = [...parts.report.layers.map(({ upper }) => upper), ...(shared === undefined ? [] : [shared])]
    if (limit !== undefined) this.#watch = watchSize(held, limit, () => this.#exceed('viewBytes'))
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

  get shared(): string | undefined {
    return this.#parts.plan.shared
  }

  get gone(): Promise<void> {
    return this.#parts.host.gone
  }

  get exceeded(): ExceededLimit | undefined {
    return this.#exceeded
  }

  async spawn(request: SandboxRequest): Promise<SandboxProcess> {
    this.#refuseExceeded()
    return this.#parts.host.spawn({ ...request, ...this.#limits() })
  }

  async openPty({ size, ...request }: SandboxPtyRequest): Promise<SandboxTerminal> {
    this.#refuseExceeded()
    return this.#parts.host.openTerminal({ ...request, terminal: size, ...this.#limits() })
  }

  async freeze(): Promise<FrozenView> {
    try {
      const { killed, networkAttempts } = await this.#parts.host.freeze()
      const exceeded = this.#exceeded
      return { backgroundKilled: killed, networkAttempts, ...(exceeded && { exceeded }) }
    } catch (cause) {
      if (!(cause instanceof HostRefusal)) throw cause
      throw new CmdopError(
        'server',
        'The host of the sandbox is gone, and everything in it has ended; open another sandbox.',
        { cause },
      )
    }
  }

  thaw(): void {
    if (this.#exceeded === undefined) this.#parts.host.thaw()
  }

  async close(): Promise<void> {
    this.#watch?.[Symbol.dispose]()
    await this.#parts.host[Symbol.asyncDispose]()
    this.#parts.group?.[Symbol.dispose]()
    if (this.view === undefined) await removeTree(this.#parts.folder)
  }

  async discard(): Promise<void> {
    await this.close()
    await removeTree(this.#parts.folder)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #exceed(limit: ExceededLimit): void {
    this.#exceeded = limit
    // Where the host is gone already, there is nothing to end.
    this.freeze().catch(() => {})
  }

  #refuseExceeded(): void {
    if (this.#exceeded === undefined) return
    const limitBytes = this.restrictions.limits?.viewBytes
    throw new CmdopError(
      'no_space',
      `The view holds more than ${limitBytes} bytes, so everything in it was ended and nothing is started any more. Open another one with a larger limits.viewBytes.`,
      { details: { limit: this.#exceeded, limitBytes } },
    )
  }

  #limits() {
    const { limits } = this.#parts.restrictions
    return limits === undefined ? {} : { limits }
  }
}

function viewOf({ id, folder, plan, report }: Parts): View {
  const { layers, unpreviewable, thread } = report
  return {
    id,
    folder,
    layers,
    marker: markerIn(folder),
    hostPid: thread,
    unpreviewable,
    flavour: plan.kind.privilege === 'root' ? 'trusted' : 'user',
  }
}
