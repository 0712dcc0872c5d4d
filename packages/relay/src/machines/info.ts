import { Facts, type MachineInfoResponse, type MachineMetrics, presenceOf, toCmdopError } from '@cmdop/protocol'
import type { AskService } from '../ask/ask-service.ts'
import type { Caller } from '../auth/authenticate.ts'
import { authorise } from '../auth/authorise.ts'
import { fingerprint } from '../auth/machine-key.ts'
import { newId } from '../auth/secrets.ts'
import type { Bus, Owner } from '../bus/bus.ts'
import type { MachineRow, Store } from '../store/store.ts'
import { reconnects } from './connects.ts'
import { descriptionOf, keyStatus, metricsOf, seenAt } from './summary.ts'

/** Milliseconds that a machine has to measure itself. */
const MEASURE_WITHIN_MS = 10_000

const GB = 1e9

export interface InfoContext {
  readonly store: Pick<Store, 'machines' | 'tunnels'>
  readonly bus: Pick<Bus, 'owner'>
  readonly asks: Pick<AskService, 'answer'>
}

/**
 * What is known of a machine, measured now by a call of the caller to it (`facts`), which is decided and written down like any
 * other. Where it is offline or does not answer, it is what was measured last, and `stale`. Throws the refusal of the call.
 */
export async function infoOf(context: InfoContext, caller: Caller, row: MachineRow): Promise<MachineInfoResponse> {
  const { store, bus } = context
  const owner = await bus.owner(row.id)
  const measured = owner === undefined ? undefined : await measure(context, caller, row)
  if (measured !== undefined) await store.machines.measured(row.id, JSON.stringify(measured))
  const metrics = measured ?? metricsOf(row)
  const { recorded_at, ...values } = metrics ?? nothing
  const description = descriptionOf(row)
  return {
    identity: {
      hostname: row.hostname,
      os: row.os,
      os_version: description?.osVersion ?? null,
      kernel_version: description?.kernel ?? null,
      agent_version: row.agentVersion,
    },
    hardware: {
      cpu: description?.cpuModel ?? null,
      cpu_cores: description?.cpuCount ?? null,
      memory_total_gb: metrics?.memory_total_gb ?? inGb(description?.totalRamBytes ?? null),
      disk_total_gb: metrics?.disk_total_gb ?? null,
      gpu: null,
    },
    live_state: { ...values, recorded_at, stale: measured === undefined },
    session: {
      connected_at: row.connectedAt,
      last_heartbeat_at: timeOf(seenAt(row, owner)),
      reconnect_count_24h: reconnects(row.connects, Date.now()),
      token_expires_at: null,
      tunnel_count_active: await openTunnels(store, caller, row),
    },
    presence: presence(row, owner),
    fingerprint: {
      public_key_fingerprint: fingerprint(row.publicKey),
      public_key_status: keyStatus(row),
      public_key_version: row.keyVersion,
    },
  }
}

/** Null for who may not see them. */
async function openTunnels({ tunnels }: InfoContext['store'], caller: Caller, machine: MachineRow) {
  const { id, fleetId } = machine
  if (!authorise(caller, 'tunnel.read', { fleetId, machine }).allowed) return null
  return (await tunnels.list(fleetId, { offset: 0, limit: 1, machineIds: [id] })).total
}

/** Undefined where the machine has gone, or does not answer in time. */
async function measure({ asks }: InfoContext, caller: Caller, row: MachineRow): Promise<MachineMetrics | undefined> {
  const call = { method: 'facts', target: row.id, callId: newId('call_'), params: {} } as const
  try {
    const answer = await asks.answer(caller, { ...call, signal: AbortSignal.timeout(MEASURE_WITHIN_MS) })
    return metricsIn(Facts.parse(answer))
  } catch (cause) {
    const error = toCmdopError(cause, 'server', 'The machine gave an answer of another form.')
    if (['unavailable', 'connection', 'timeout', 'cancelled'].includes(error.code)) return undefined
    throw error
  }
}

/** What facts say, in the words of the wire. */
export function metricsIn({ collectedAt, cpu, memory, disks, uptimeSeconds, processes }: Facts): MachineMetrics {
  const local = disks === null || disks.length === 0 ? undefined : disks
  const sum = (of: (disk: NonNullable<Facts['disks']>[number]) => number) =>
    local === undefined ? null : local.reduce((total, disk) => total + of(disk), 0)
  const [used, available] = [sum((disk) => disk.usedBytes), sum((disk) => disk.availableBytes)]
  return {
    cpu_usage: cpu.usedPercent,
    memory_usage: memory === null ? null : memory.usedPercent,
    memory_total_gb: inGb(memory?.totalBytes ?? null),
    memory_free_gb: inGb(memory?.availableBytes ?? null),
    // As `df` does: of what ordinary users may use.
    disk_usage:
      used === null || available === null || used + available === 0 ? null : (used / (used + available)) * 100,
    disk_total_gb: inGb(sum((disk) => disk.totalBytes)),
    disk_free_gb: inGb(available),
    battery_level: null,
    is_charging: null,
    is_on_ac_power: null,
    uptime_seconds: uptimeSeconds,
    process_count: processes?.total ?? null,
    recorded_at: collectedAt,
  }
}

const nothing = {
  cpu_usage: null,
  memory_usage: null,
  memory_total_gb: null,
  memory_free_gb: null,
  disk_usage: null,
  disk_total_gb: null,
  disk_free_gb: null,
  battery_level: null,
  is_charging: null,
  is_on_ac_power: null,
  uptime_seconds: null,
  process_count: null,
  recorded_at: null,
}

function presence(row: MachineRow, owner: Owner | undefined): MachineInfoResponse['presence'] {
  const now = Date.now()
  const lastSeenAt = seenAt(row, owner)
  const state = presenceOf({ connected: owner !== undefined, lastSeenAt, now })
  const status = { online: 'healthy', suspect: 'stale', offline: 'expired' } as const
  return {
    status: lastSeenAt === null ? 'never' : status[state],
    last_seen_at: timeOf(lastSeenAt),
    freshness_seconds: lastSeenAt === null ? null : Math.max(0, (now - lastSeenAt) / 1000),
  }
}

function inGb(bytes: number | null): number | null {
  return bytes === null ? null : bytes / GB
}

function timeOf(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString()
}
