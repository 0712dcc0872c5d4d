import type { FleetReport } from '@cmdop/fleet'
import { writeStdout } from '../terminal.ts'

/** A report as one JSON document, a row a line: it may be larger than one text of it could be. */
export async function writeReportJson({ rows, ...about }: FleetReport<unknown>): Promise<void> {
  await writeStdout(`${JSON.stringify(about, null, 2).slice(0, -2)},\n  "rows": [`)
  for (const [index, row] of rows.entries()) await writeStdout(`${index === 0 ? '' : ','}\n    ${JSON.stringify(row)}`)
  await writeStdout('\n  ]\n}\n')
}
