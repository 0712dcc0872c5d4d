import type { FleetReport } from '../report/fleet-report.ts'
import type { FleetEvent } from './conduct.ts'
import { Execution } from './execution.ts'

/**
 * A fleet run that is under way: awaited for its report, or iterated for its events. It rejects only for what is wrong before any
 * machine is asked; what goes wrong on a machine is in its row.
 */
export class FleetExecution<Result> extends Execution<FleetEvent<Result>, FleetReport<Result>> {}
