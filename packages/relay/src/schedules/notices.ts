import type { Notification, ScheduleNotice } from '@cmdop/protocol'
import { newId } from '../auth/secrets.ts'
import { textFor } from '../notifications/enqueuer.ts'
import { GIVE_UP_AFTER_MS } from '../notifications/retry.ts'
import type { DeliveryRow, WebhookRow } from '../store/notification-store.ts'
import type { ScheduleRow, ScheduleRunRow } from '../store/schedule-store.ts'
import type { Store } from '../store/store.ts'

/** Runs that are looked at together. */
const RUNS_AT_ONCE = 500

export interface NoticesOptions {
  readonly store: Pick<Store, 'schedules' | 'notifications'>
  readonly now?: () => number
}

/**
 * Puts down what webhooks are told of runs that are over. Whoever is killed before a run is marked puts it down again, which changes
 * nothing, because one webhook is told an event of a run once.
 */
export class Notices {
  readonly #store: NoticesOptions['store']
  readonly #now: () => number

  constructor({ store, now = Date.now }: NoticesOptions) {
    this.#store = store
    this.#now = now
  }

  /** Until nobody is left to be told. */
  async tell(): Promise<void> {
    const { schedules, notifications } = this.#store
    for (;;) {
      const runs = await schedules.untold(RUNS_AT_ONCE)
      if (runs.length === 0) return
      const deliveries: DeliveryRow[] = []
      for (const [scheduleId, own] of Map.groupBy(runs, (run) => run.scheduleId)) {
        const schedule = await schedules.get(scheduleId)
        if (schedule !== undefined) deliveries.push(...(await this.#deliveries(schedule, own)))
      }
      await notifications.enqueue(deliveries)
      await schedules.told(runs.map(({ id }) => id))
    }
  }

  async #deliveries(schedule: ScheduleRow, runs: readonly ScheduleRunRow[]): Promise<DeliveryRow[]> {
    const { notify } = schedule.work
    if (notify === null) return []
    const all = await this.#store.notifications.webhooks(schedule.fleetId)
    const webhooks = all.filter(({ id, enabled }) => enabled && notify.webhook_ids.includes(id))
    const missed = runs.filter(({ status }) => status === 'missed')
    // Of instants that were missed together the last one is told.
    const told = runs.filter((run) => run.status !== 'missed' || run === missed.at(-1))
    return told.flatMap((run) => {
      const notice = noticeOf(run)
      if (notice === undefined || !notify.on.includes(notice)) return []
      const notification = this.#notification(schedule, run, { notice, missed: missed.length })
      return webhooks.map((webhook) => this.#delivery(webhook, run, notification))
    })
  }

  #notification(
    schedule: ScheduleRow,
    run: ScheduleRunRow,
    { notice, missed }: { notice: ScheduleNotice; missed: number },
  ): Notification {
    return {
      event: `schedule.${notice}`,
      at: new Date(this.#now()).toISOString(),
      fleet_id: schedule.fleetId,
      approval: null,
      schedule: {
        id: schedule.id,
        name: schedule.name,
        run_id: run.id,
        status: run.status,
        error_code: run.errorCode,
        due_at: run.createdAt,
        finished_at: run.finishedAt,
        counts: { ...run.counts },
        missed: notice === 'missed' ? missed : 0,
      },
      link: null,
    }
  }

  #delivery(webhook: WebhookRow, run: ScheduleRunRow, notification: Notification): DeliveryRow {
    const now = this.#now()
    const at = new Date(now).toISOString()
    return {
      id: newId('dlv_'),
      fleetId: webhook.fleetId,
      webhookId: webhook.id,
      subjectId: run.id,
      event: notification.event as DeliveryRow['event'],
      body: textFor(webhook, notification),
      state: 'waiting',
      attempts: 0,
      dueAt: at,
      giveUpAt: new Date(now + GIVE_UP_AFTER_MS).toISOString(),
      status: null,
      error: null,
      answer: null,
      createdAt: at,
      endedAt: null,
    }
  }
}

/** What somebody has cancelled, and what was skipped, is not told. */
function noticeOf({ status }: ScheduleRunRow): ScheduleNotice | undefined {
  if (status === 'success' || status === 'missed') return status
  return status === 'failed' ? 'failure' : undefined
}
