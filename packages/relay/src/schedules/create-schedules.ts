import { CallSlots } from './call-slots.ts'
import { Conductor, type ConductorOptions } from './conductor.ts'
import { Notices } from './notices.ts'
import { ScheduleDesk } from './schedule-desk.ts'
import { Scheduler, type SchedulerOptions } from './scheduler.ts'

/** The schedules of one relay. It fires once it is started. */
export interface Schedules extends AsyncDisposable {
  readonly desk: ScheduleDesk
  start(): void
}

/** Puts the schedules of one relay together. */
export function createSchedules(
  given: Omit<ConductorOptions, 'calls'> & Pick<SchedulerOptions, 'bus' | 'log' | 'relayInstance' | 'isDraining'>,
): Schedules {
  const { store, bus, log, relayInstance, isDraining } = given
  const conductor = new Conductor({ ...given, calls: new CallSlots() })
  const notices = new Notices({ store })
  const parts = { store: store.schedules, bus, log, relayInstance, conductor, notices, isDraining }
  const scheduler = new Scheduler(parts)
  return {
    desk: new ScheduleDesk({ store, bus, wake: () => scheduler.wake() }),
    start: () => scheduler.start(),
    [Symbol.asyncDispose]: () => scheduler[Symbol.asyncDispose](),
  }
}
