// node scripts/count-tests.mjs <failed steps> <report.json>...: prints `N passed, N failed` and exits with 1 when any failed.
import { existsSync, readFileSync } from 'node:fs'

const [failedSteps, ...files] = process.argv.slice(2)
const reports = files.map((file) => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined))
const sum = (name) => reports.reduce((total, report) => total + (report?.[name] ?? 0), 0)

const notRun = sum('numPendingTests') + sum('numTodoTests')
const missing = reports.filter((report) => report === undefined).length
const failed = Math.max(sum('numFailedTests') + missing, Number(failedSteps))
if (notRun > 0) process.stdout.write(`${notRun} not run\n`)
process.stdout.write(`${sum('numPassedTests')} passed, ${failed} failed\n`)
process.exit(failed === 0 && sum('numPassedTests') > 0 ? 0 : 1)
