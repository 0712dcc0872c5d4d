import type { FleetRunStop } from '@cmdop/protocol'
import type { PlaybookReport } from '../playbook-report.ts'
import type { StepRecords } from './step-records.ts'

/** How a playbook ends, and why. */
export type Ending = Pick<PlaybookReport, 'outcome' | 'message'>

/** That somebody wants it to end. */
export const CANCELLED: Ending = { outcome: 'cancelled', message: 'The playbook was cancelled.' }

/** Under which it is written down that a playbook goes no further. */
const PART = 'ending:'

/** That it goes no further, as it was decided once; undefined: nobody has. */
export async function decision(records: StepRecords): Promise<Ending | undefined> {
  const stop = (await records.find(PART))?.stop
  if (stop === undefined || stop === null) return undefined
  const outcome = stop.reason === 'cancelled' || stop.reason === 'denied' ? stop.reason : 'failed'
  return { outcome, message: stop.message }
}

/** Decides it before anything is undone, so that whoever goes on with the playbook undoes it, too. */
export async function decide(records: StepRecords, ending: Ending): Promise<Ending> {
  const record = await records.begin(PART, { title: 'What is done is undone', plan: {} })
  await records.end(PART, record, stopOf(ending))
  return ending
}

/** As the relay keeps it; undefined: it did not stop. */
export function stopOf({ outcome, message }: Ending): FleetRunStop | undefined {
  if (outcome === 'ok') return undefined
  const reason = outcome === 'cancelled' || outcome === 'denied' ? outcome : 'failures'
  return { reason, message: (message ?? '').slice(0, 4096) }
}
