import type { ScheduleResultView, ScheduleRunView, ScheduleView } from '@cmdop/protocol'
import type { ScheduleResultRow, ScheduleRow, ScheduleRunRow } from '../store/schedule-store.ts'

/** A schedule as it is answered. */
export function scheduleView(row: ScheduleRow): ScheduleView {
  return {
    id: row.id,
    fleet_id: row.fleetId,
    name: row.name,
    description: row.description,
    cron_expr: row.cronExpr,
    timezone: row.timezone,
    is_enabled: row.isEnabled,
    created_at: row.createdAt,
    updated_at: row.updatedAt,
    last_run_at: row.lastRunAt,
    next_run_at: row.nextRunAt,
    last_status: row.lastStatus,
    last_error: row.lastError,
    acts_for_id: row.actsForId,
    ...row.work,
  }
}

/** A run as it is answered. */
export function runView(row: ScheduleRunRow): ScheduleRunView {
  const { startedAt, finishedAt, createdAt } = row
  const lasted = startedAt === null || finishedAt === null ? null : Date.parse(finishedAt) - Date.parse(startedAt)
  return {
    id: row.id,
    schedule_id: row.scheduleId,
    fleet_id: row.fleetId,
    status: row.status,
    started_at: startedAt ?? createdAt,
    finished_at: finishedAt,
    duration_seconds: lasted === null ? null : lasted / 1000,
    error: row.error,
    error_code: row.errorCode,
    command_count: row.commandCount,
    due_at: row.dueAt ?? createdAt,
    trigger: row.trigger,
    counts: { ...row.counts },
  }
}

/** What a run did on one machine, as it is answered. */
export function resultView(row: ScheduleResultRow): ScheduleResultView {
  return {
    machine_id: row.machineId,
    machine_name: row.machineName,
    status: row.status,
    exit_code: row.exitCode,
    signal: row.signal,
    output: row.output,
    output_truncated: row.outputTruncated,
    output_bytes: row.outputBytes,
    answer: row.answer === null ? null : JSON.parse(row.answer),
    error: row.error,
    error_code: row.errorCode,
    approval_id: row.approvalId,
    call_id: row.callId,
    attempts: row.attempts,
    started_at: row.startedAt,
    finished_at: row.finishedAt,
  }
}
