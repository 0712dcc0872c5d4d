import * as wire from '@cmdop/protocol'
import { z } from 'zod'
import type { Repeatable } from './cancellable.ts'
import { FleetPaths, type InFleet } from './in-fleet.ts'
import { cursorPages, itemsOf, offsetPages } from './pages.ts'
import type {
  ScheduleList,
  ScheduleRun,
  ScheduleRunDetail,
  ScheduleRunList,
  ScheduleTriggered,
  ScheduleView,
} from './resources.ts'
import type { RestClient } from './rest-client.ts'
import { type FromWire, toQuery, toWire } from './wire-names.ts'

/** Which page of a list of schedules. */
export type ScheduleQuery = Partial<FromWire<wire.OffsetQuery>>

/** Which page of a list of runs; `limit` is 50 unless chosen. */
export type ScheduleRunQuery = Partial<FromWire<wire.ScheduleRunListQuery>>

/** `client.schedules`: commands and prompts that run on machines at certain times. */
export class SchedulesNamespace {
  readonly #rest: RestClient
  readonly #paths: FleetPaths

  constructor(rest: RestClient, fleetId: () => Promise<string>) {
    this.#rest = rest
    this.#paths = new FleetPaths(fleetId)
  }

  /** One page, the oldest first. */
  async list({ signal, fleetId, ...given }: ScheduleQuery & InFleet = {}): Promise<ScheduleList> {
    const query = toQuery(wire.ScheduleListQuery, given)
    return this.#rest.call({
      method: 'GET',
      path: await this.#path({ fleetId }),
      query,
      answer: wire.ScheduleList,
      signal,
    })
  }

  /** Every schedule, page by page as they are needed. */
  iter(query: Omit<ScheduleQuery, 'offset'> & InFleet = {}): AsyncGenerator<ScheduleView> {
    return itemsOf(this.pages(query), ({ id }) => id, query)
  }

  /** Every page. Ends with the last one. */
  pages(query: Omit<ScheduleQuery, 'offset'> & InFleet = {}): AsyncGenerator<ScheduleList> {
    return offsetPages((offset) => this.list({ ...query, offset }))
  }

  /** Throws `not_found`. */
  async get(scheduleId: string, { signal, fleetId }: InFleet = {}): Promise<ScheduleView> {
    return this.#rest.call({
      method: 'GET',
      path: await this.#path({ fleetId }, scheduleId),
      answer: wire.ScheduleView,
      signal,
    })
  }

  /** A schedule that acts for you, with the rights that you have when it fires. Throws `validation`, and says what is wrong. */
  async create(
    schedule: FromWire<wire.ScheduleCreate>,
    { signal, fleetId, idempotencyKey }: Repeatable & InFleet = {},
  ): Promise<ScheduleView> {
    const body = toWire(wire.ScheduleCreate, schedule)
    return this.#rest.call({
      method: 'POST',
      path: await this.#path({ fleetId }),
      body,
      answer: wire.ScheduleView,
      signal,
      idempotencyKey,
    })
  }

  /**
   * What is left out stays, and null is none. `isEnabled: false` pauses it. Once you change what it does, when or where, it acts for you.
   * Throws `validation`, `not_found`, `conflict` where somebody else has changed it meanwhile.
   */
  async update(
    scheduleId: string,
    change: FromWire<wire.ScheduleUpdate>,
    { signal, fleetId, idempotencyKey }: Repeatable & InFleet = {},
  ): Promise<ScheduleView> {
    const body = toWire(wire.ScheduleUpdate, change)
    const path = await this.#path({ fleetId }, scheduleId)
    return this.#rest.call({ method: 'PATCH', path, body, answer: wire.ScheduleView, signal, idempotencyKey })
  }

  /** Deletes it with its runs, and ends what runs of it. Throws `not_found`. */
  async delete(scheduleId: string, { signal, fleetId, idempotencyKey }: Repeatable & InFleet = {}): Promise<void> {
    await this.#rest.call({
      method: 'DELETE',
      path: await this.#path({ fleetId }, scheduleId),
      answer: z.null(),
      signal,
      idempotencyKey,
    })
  }

  /** Runs it now, for whom it acts; `jobId` is the run. Throws `conflict` while a run is under way that it may not overlap. */
  async trigger(
    scheduleId: string,
    { signal, fleetId, idempotencyKey }: Repeatable & InFleet = {},
  ): Promise<ScheduleTriggered> {
    const path = `${await this.#path({ fleetId }, scheduleId)}/run`
    return this.#rest.call({ method: 'POST', path, answer: wire.ScheduleTriggered, signal, idempotencyKey })
  }

  /** Its runs, one page, the newest first. Pass `nextCursor` on as `cursor`. */
  async runs(
    scheduleId: string,
    { signal, fleetId, ...given }: ScheduleRunQuery & InFleet = {},
  ): Promise<ScheduleRunList> {
    const query = toQuery(wire.ScheduleRunListQuery, given)
    const path = `${await this.#path({ fleetId }, scheduleId)}/runs`
    return this.#rest.call({ method: 'GET', path, query, answer: wire.ScheduleRunList, signal })
  }

  /** Every run that is kept, page by page as they are needed. */
  iterRuns(scheduleId: string, query: Omit<ScheduleRunQuery, 'cursor'> & InFleet = {}): AsyncGenerator<ScheduleRun> {
    return itemsOf(this.pagesRuns(scheduleId, query), ({ id }) => id, query)
  }

  /** Every page of it. Ends with the last one. */
  pagesRuns(
    scheduleId: string,
    query: Omit<ScheduleRunQuery, 'cursor'> & InFleet = {},
  ): AsyncGenerator<ScheduleRunList> {
    return cursorPages((cursor) => this.runs(scheduleId, { ...query, cursor }))
  }

  /** One run, with what it did on the machines of a page, in order of their names. Throws `not_found`. */
  async run(
    scheduleId: string,
    runId: string,
    { signal, fleetId, ...given }: Partial<FromWire<wire.ScheduleRunDetailQuery>> & InFleet = {},
  ): Promise<ScheduleRunDetail> {
    const query = toQuery(wire.ScheduleRunDetailQuery, given)
    const path = await this.#runPath({ fleetId }, scheduleId, runId)
    return this.#rest.call({ method: 'GET', path, query, answer: wire.ScheduleRunDetail, signal })
  }

  /** Ends a run with all of its processes; it may be under way for a moment more. Throws `not_found`, `conflict` for one that is over. */
  async cancel(
    scheduleId: string,
    runId: string,
    { signal, fleetId, idempotencyKey }: Repeatable & InFleet = {},
  ): Promise<ScheduleRun> {
    const path = `${await this.#runPath({ fleetId }, scheduleId, runId)}/cancel`
    return this.#rest.call({ method: 'POST', path, answer: wire.ScheduleRunView, signal, idempotencyKey })
  }

  #path(where: InFleet, scheduleId?: string): Promise<string> {
    return this.#paths.of(
      where,
      scheduleId === undefined ? '/schedules' : `/schedules/${encodeURIComponent(scheduleId)}`,
    )
  }

  async #runPath(where: InFleet, scheduleId: string, runId: string): Promise<string> {
    return `${await this.#path(where, scheduleId)}/runs/${encodeURIComponent(runId)}`
  }
}
