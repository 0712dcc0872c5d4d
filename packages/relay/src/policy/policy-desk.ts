import {
  type CompiledPolicy,
  compilePolicy,
  type Decided,
  decide,
  Policy,
  type PolicyCall,
  type PrincipalKind,
} from '@cmdop/policy'
import { CmdopError, mergeRestrictions, type Open, Restrictions } from '@cmdop/protocol'
import { z } from 'zod'
import type { Caller } from '../auth/authenticate.ts'
import type { Bus } from '../bus/bus.ts'
import type { PolicyRow } from '../store/policy-store.ts'
import type { MachineRow, Store } from '../store/store.ts'
import { claimed } from '../permits.ts'
import type { Judgement } from './judgement.ts'
import { RunPolicies } from './run-policies.ts'

/** Compiled policies that are kept at most. */
const MAX_KEPT = 10_000

/** A fleet without a policy: what the roles allow runs, but for the floor. */
const NONE: Policy = { mode: 'bypass', rules: [] }

/** What is judged of a call; that of an operator also by the policy of its run. */
export interface JudgedCall extends Pick<Open, 'method' | 'params' | 'under'> {
  readonly operator?: { readonly runId?: string | null | undefined } | undefined
}

/** The policies of the fleets: stored, compiled, and asked about every call. */
export class PolicyDesk {
  readonly #store: Store
  readonly #bus: Bus
  readonly #runs: RunPolicies
  readonly #compiled = new Map<string, Promise<CompiledPolicy>>()
  readonly #stop: () => void

  constructor({ store, bus }: { store: Store; bus: Bus }) {
    this.#store = store
    this.#runs = new RunPolicies(store.runs)
    this.#bus = bus
    this.#stop = bus.subscribe((message) => {
      if (message.type === 'policy-changed') this.#forget(message.fleetId)
    })
  }

  close(): void {
    this.#stop()
  }

  /** What the policy says of a call of such a principal. Fails closed: a policy that cannot be read denies. */
  async judge(who: PrincipalKind, call: JudgedCall, machine: Pick<MachineRow, 'id' | 'fleetId'>): Promise<Judgement> {
    const base = await this.of(machine.fleetId, machine.id)
    const runId = call.operator?.runId ?? undefined
    const policy = runId === undefined ? base : await this.#runs.over(base, machine.fleetId, runId)
    const decided = decide(policy, callOf(who, call))
    const { decision, reason, permittedBy, danger, dangerReason, deleting } = decided
    // What is not understood may delete, and what is catastrophic is a person's decision each time.
    const deletes = deleting || decided.class === 'unknown' || decided.layer === 'floor'
    return { decision, rule: nameOf(decided), reason, permittedBy, danger, dangerReason, deletes }
  }

  /** The policy of a machine, with that of its fleet; of the fleet alone without one. */
  of(fleetId: string, machineId: string | null): Promise<CompiledPolicy> {
    const key = `${fleetId} ${machineId ?? ''}`
    const known = this.#compiled.get(key)
    if (known !== undefined) return known
    const compiled = this.#compile(fleetId, machineId)
    if (this.#compiled.size >= MAX_KEPT) this.#compiled.clear()
    this.#compiled.set(key, compiled)
    compiled.catch(() => this.#compiled.delete(key))
    return compiled
  }

  /** The policy as it is stored; version 0 and nothing in it where there is none. */
  async read(fleetId: string, machineId: string | null): Promise<{ policy: Policy; row: PolicyRow | undefined }> {
    const row = await this.#store.policies.get(fleetId, machineId)
    if (row === undefined) return { policy: machineId === null ? NONE : { rules: [] }, row }
    return { policy: Policy.parse(JSON.parse(row.document)), row }
  }

  /**
   * Replaces a policy: its rules are compiled and their examples run first. Throws `validation`, and `conflict` when it is another
   * version than `version` by now.
   */
  async write(
    caller: Caller,
    machineId: string | null,
    { policy, version }: { policy: Policy; version: number },
  ): Promise<PolicyRow> {
    const { fleetId } = caller
    const fleet = machineId === null ? policy : (await this.read(fleetId, null)).policy
    compilePolicy({ fleet, ...(machineId === null ? {} : { machine: policy }) })
    const row: PolicyRow = {
      fleetId,
      machineId,
      document: JSON.stringify(policy),
      version: version + 1,
      updatedAt: new Date().toISOString(),
      updatedById: caller.principalId,
    }
    if (!(await this.#store.policies.put(row)))
      throw new CmdopError('conflict', 'Somebody else has changed the policy meanwhile; read it again.')
    await this.#bus.publish({ type: 'policy-changed', fleetId })
    return row
  }

  async #compile(fleetId: string, machineId: string | null): Promise<CompiledPolicy> {
    const fleet = await this.read(fleetId, null)
    const machine = machineId === null ? undefined : (await this.read(fleetId, machineId)).row
    // Machines without rules of their own share what is compiled for their fleet.
    if (machineId !== null && machine === undefined) return await this.of(fleetId, null)
    const own = machine === undefined ? {} : { machine: Policy.parse(JSON.parse(machine.document)) }
    return compilePolicy({ fleet: fleet.policy, ...own })
  }

  #forget(fleetId: string): void {
    for (const key of this.#compiled.keys()) if (key.startsWith(`${fleetId} `)) this.#compiled.delete(key)
  }
}

function nameOf({ layer, rule }: Decided): string {
  return layer === 'floor' || layer === 'mode' || layer === 'restriction' ? rule : `${layer}:${rule}`
}

/** A call as the policy looks at it. What is not of the right form is refused by the machine, which judges it whole. */
function callOf(principalKind: PrincipalKind, { method: tool, params, under }: JudgedCall): PolicyCall {
  const { command, cwd, env, overwrite, host } = params
  return {
    tool,
    principalKind,
    command: isCommand(command) ? command : undefined,
    cwd: typeof cwd === 'string' ? cwd : undefined,
    env: isEnvironment(env) ? env : undefined,
    paths: pathsOf(params),
    hosts: typeof host === 'string' ? [host] : undefined,
    passive: params['kind'] === 'run' && env === undefined && params['shell'] === undefined,
    overwrite: typeof overwrite === 'boolean' ? overwrite : undefined,
    restrictions: restrictionsOf(params, claimed({ method: tool, under })),
  }
}

function isCommand(value: unknown): value is string | string[] {
  return typeof value === 'string' || (Array.isArray(value) && value.every((word) => typeof word === 'string'))
}

function isEnvironment(value: unknown): value is Record<string, string | null> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.values(value).every((each) => each === null || typeof each === 'string')
}

function pathsOf(params: Record<string, unknown>): string[] {
  return ['path', 'from', 'to', 'target'].flatMap((name) => {
    const value = params[name]
    if (typeof value === 'string') return [value]
    const bytes = Bytes.safeParse(value).data?.base64
    return bytes === undefined ? [] : [Buffer.from(bytes, 'base64').toString()]
  })
}

/** A path that is not UTF-8; what stands for a byte of it fits no name in a rule. */
const Bytes = z.object({ base64: z.string() })

function restrictionsOf({ restrictions }: Record<string, unknown>, under: Open['under']): Restrictions | undefined {
  const asked = Restrictions.safeParse(restrictions ?? {}).data
  return mergeRestrictions(asked, under)
}
