import { isFailure } from '@cmdop/protocol'
import type { FleetRow } from '../run/fleet-row.ts'
import type { FleetReport } from './fleet-report.ts'
import { createShownText } from './shown-text.ts'

/**
 * A report as JUnit XML: a test case for each machine. What counts as a failure is `failure`, with the outcome as its type; what was not
 * tried or was cancelled is `skipped`. `textOf`: what is shown of a row. The form is the one that Jenkins and GitLab read:
 * https://github.com/testmoapp/junitxml
 */
export function renderJunit<Result>(
  report: FleetReport<Result>,
  { name, textOf }: { readonly name: string; readonly textOf: (row: FleetRow<Result>) => string },
): string {
  const { rows, failures, counts } = report
  const skipped = counts.skipped + counts.cancelled
  const about = `tests="${rows.length}" failures="${failures}" errors="0" skipped="${skipped}" time="${seconds(report.durationMs)}"`
  const shown = createShownText()
  const cases = rows.map((row) => {
    const { machine, durationMs, outcome, error } = row
    const head = `    <testcase classname="${xml(name)}" name="${xml(machine.name)}" time="${seconds(durationMs ?? 0)}"`
    const text = xml(shown(textOf(row)))
    if (isFailure(outcome)) {
      const message = xml(error?.message ?? outcome)
      return `${head}>\n      <failure type="${outcome}" message="${message}">${text}</failure>\n    </testcase>`
    }
    if (outcome !== 'ok') return `${head}>\n      <skipped message="${outcome}"/>\n    </testcase>`
    return `${head}>\n      <system-out>${text}</system-out>\n    </testcase>`
  })
  const suite = `  <testsuite name="${xml(name)}" timestamp="${xml(report.startedAt)}" ${about}>`
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${about}>\n${[suite, ...cases].join('\n')}\n  </testsuite>\n</testsuites>\n`
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3)
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/** As XML 1.0 takes it: what it has no character for, such as the escape of colours, is U+FFFD. */
function xml(text: string): string {
  return (
    text
      .toWellFormed()
      // oxlint-disable-next-line no-control-regex -- these are the ones to replace
      .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
      .replaceAll(/[&<>"']/g, (character) => entities[character] ?? '')
  )
}
