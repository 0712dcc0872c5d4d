import type { ScheduleResultRow, ScheduleRow, ScheduleRunRow, ScheduleWork } from '../schedule-store.ts'
import { at, newId } from './world.ts'

const WORK: ScheduleWork = {
  command: 'true',
  prompt: null,
  output_schema: null,
  target_kind: 'all_fleet_machines',
  machine_ids: [],
  selector: null,
  timeout_seconds: 300,
  overlap: 'skip',
  retries: 0,
  retry_wait_seconds: 5,
  missed: 'skip',
  grace_seconds: 5,
  concurrency: 20,
  approval_wait_seconds: 0,
  max_output_bytes: 16_384,
  keep_runs: 100,
  restrictions: null,
  notify: null,
}

/** A schedule that is due at second 10. */
export function scheduleRow(fleetId: string, actsForId: string, change: Partial<ScheduleRow> = {}): ScheduleRow {
  return {
    id: newId('schedule'),
    fleetId,
    name: 'nightly',
    description: '',
    cronExpr: '* * * * *',
    timezone: 'UTC',
    isEnabled: true,
    work: WORK,
    actsForId,
    keyId: 'key_1',
    revision: 1,
    createdAt: at(1),
    updatedAt: at(1),
    nextRunAt: at(10),
    lastRunAt: null,
    lastStatus: null,
    lastError: null,
    deletedAt: null,
    ...change,
  }
}

/** A run of it that is to begin. */
export function scheduleRunRow(schedule: ScheduleRow, change: Partial<ScheduleRunRow> = {}): ScheduleRunRow {
  const dueAt = change.dueAt === undefined ? at(10) : change.dueAt
  return {
    id: newId('schedule-run'),
    scheduleId: schedule.id,
    fleetId: schedule.fleetId,
    status: 'pending',
    trigger: 'time',
    dueAt,
    createdAt: dueAt ?? at(10),
    work: schedule.work,
    actsForId: schedule.actsForId,
    keyId: schedule.keyId,
    startedAt: null,
    finishedAt: null,
    error: '',
    errorCode: null,
    commandCount: 0,
    counts: {},
    relayInstance: null,
    leaseUntil: null,
    cancelRequestedAt: null,
    isTold: true,
    ...change,
  }
}

/** What a run did on a machine: nothing yet. */
export function scheduleResultRow(runId: string, change: Partial<ScheduleResultRow> = {}): ScheduleResultRow {
  const machineId = newId('machine')
  return {
    runId,
    machineId,
    machineName: machineId,
    status: 'pending',
    callId: newId('call'),
    attempts: 0,
    exitCode: null,
    signal: null,
    output: '',
    outputTruncated: false,
    outputBytes: 0,
    answer: null,
    error: '',
    errorCode: null,
    approvalId: null,
    startedAt: null,
    finishedAt: null,
    ...change,
  }
}
