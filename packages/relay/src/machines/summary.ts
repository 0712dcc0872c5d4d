import {
  type MachineDetail,
  MachineDescription,
  type MachineFleet,
  MachineMetrics,
  type MachineSpecs,
  type MachineSummary,
  type Presence,
  presenceOf,
} from '@cmdop/protocol'
import type { Bus, Owner } from '../bus/bus.ts'
import { fingerprint } from '../auth/machine-key.ts'
import type { ListedMachine, MachineRow } from '../store/store.ts'
import { labelsOf } from './labels.ts'

/** What belongs to a machine, beside its row. */
export interface MachineSurroundings {
  /** Who holds its connection. */
  readonly owner: Owner | undefined
  /** Milliseconds since 1970. */
  readonly now: number
  /** As far as who asks may see them. */
  readonly fleets: readonly MachineFleet[]
}

/** Machines as lists show them. */
export async function summariesOf(
  bus: Bus,
  rows: readonly ListedMachine[],
  fleets: readonly MachineFleet[],
): Promise<MachineSummary[]> {
  const owners = await bus.owners(rows.map(({ id }) => id))
  const now = Date.now()
  return rows.map((row) => summaryOf(row, { owner: owners.get(row.id), now, fleets }))
}

/** A machine as lists show it. */
export function summaryOf(row: ListedMachine, { owner, now, fleets }: MachineSurroundings): MachineSummary {
  const lastSeenAt = seenAt(row, owner)
  const seen = lastSeenAt === null ? null : new Date(lastSeenAt).toISOString()
  const description = descriptionOf(row)
  return {
    id: row.id,
    name: row.name,
    hostname: row.hostname,
    os: row.os,
    os_version: description?.osVersion ?? null,
    architecture: row.architecture,
    agent_version: row.agentVersion,
    presence: presenceIn(row, { owner, now }),
    last_seen_at: seen,
    last_heartbeat_at: seen,
    public_key_fingerprint: fingerprint(row.publicKey),
    public_key_status: keyStatus(row),
    created_at: row.createdAt,
    disabled_at: row.disabledAt,
    fleet_id: row.fleetId,
    fleets: [...fleets],
    specs: description === undefined ? null : specsOf(description),
    is_jarvis: false,
    quarantined_at: row.quarantinedAt,
    labels: labelsOf(row),
  }
}

/** Its life sign. */
export function presenceIn(row: ListedMachine, { owner, now }: Pick<MachineSurroundings, 'owner' | 'now'>): Presence {
  return presenceOf({ connected: owner !== undefined, lastSeenAt: seenAt(row, owner), now })
}

/** All that the relay knows of a machine. */
export function detailOf(row: MachineRow, surroundings: MachineSurroundings): MachineDetail {
  const description = descriptionOf(row)
  return {
    ...summaryOf(row, surroundings),
    is_root: description?.isRoot ?? null,
    username: description?.username ?? null,
    kernel_version: description?.kernel ?? null,
    device_id: null,
    public_key: row.publicKey,
    public_key_version: row.keyVersion,
    public_key_registered_at: row.keyRegisteredAt ?? (row.keyVersion === 1 ? row.createdAt : null),
    created_by_id: row.createdById,
    live_metrics: metricsOf(row) ?? null,
  }
}

/** When the machine was heard last, milliseconds since 1970: by the relay that has it, or as it was written down. */
export function seenAt({ lastSeenAt }: Pick<MachineRow, 'lastSeenAt'>, owner: Owner | undefined): number | null {
  const storedAt = lastSeenAt === null ? null : Date.parse(lastSeenAt)
  return owner === undefined ? storedAt : Math.max(owner.heardAt, storedAt ?? 0)
}

/** What its daemon said when it connected last; undefined: nothing yet. */
export function descriptionOf({ description }: Pick<MachineRow, 'description'>): MachineDescription | undefined {
  return description === null ? undefined : (JSON.parse(description) as MachineDescription)
}

/** What was measured there last. */
export function metricsOf({ metrics }: Pick<MachineRow, 'metrics'>): MachineMetrics | undefined {
  return metrics === null ? undefined : MachineMetrics.parse(JSON.parse(metrics))
}

/** Whether its key is good. */
export function keyStatus(row: ListedMachine): MachineSummary['public_key_status'] {
  if (row.disabledAt !== null) return 'disabled'
  if (row.quarantinedAt !== null) return 'quarantined'
  return row.nextPublicKey === null ? 'active' : 'rotating'
}

function specsOf(description: MachineDescription): MachineSpecs {
  return {
    cpu_model: description.cpuModel,
    cpu_count: description.cpuCount,
    total_ram_bytes: description.totalRamBytes,
    home_dir: description.homeDir,
    uid: description.uid,
    device_type: description.deviceType,
    device_model: description.deviceModel,
  }
}
