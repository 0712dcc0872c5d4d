// node scripts/count-tests.mjs <failed steps> <report.json>...: names every failed test again, prints `N passed, N failed`
// and exits with 1 when any failed.
import { existsSync, readFileSync } from 'node:fs'

const [failedSteps, ...files] = process.argv.slice(2)
const reports = files.map((file) => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined))
const sum = (name) => reports.reduce((total, report) => total + (report?.[name] ?? 0), 0)

// What failed is thousands of lines above: here it is once more, with the first lines of the reason.
const MESSAGE_LINES = 6
for (const { name, message, assertionResults } of reports.flatMap((report) => report?.testResults ?? [])) {
  const failures = assertionResults.filter(({ status }) => status === 'failed')
  for (const { fullName, failureMessages } of failures) {
    const reason = failureMessages.join('\n').split('\n').slice(0, MESSAGE_LINES).join('\n    ')
    process.stdout.write(`\nfailed: ${name}: ${fullName}\n    ${reason}\n`)
  }
  if (failures.length === 0 && message) process.stdout.write(`\nfailed: ${name}: ${message}\n`)
}

const notRun = sum('numPendingTests') + sum('numTodoTests')
const missing = reports.filter((report) => report === undefined).length
const failed = Math.max(sum('numFailedTests') + missing, Number(failedSteps))
if (notRun > 0) process.stdout.write(`${notRun} not run\n`)
process.stdout.write(`${sum('numPassedTests')} passed, ${failed} failed\n`)
process.exit(failed === 0 && sum('numPassedTests') > 0 ? 0 : 1)
