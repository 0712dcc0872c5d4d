import { hash } from 'node:crypto'
import { isFailure, type OutcomeName } from '@cmdop/protocol'
import type { FleetRow } from '../run/fleet-row.ts'
import type { Durations } from './durations.ts'
import type { FleetReport } from './fleet-report.ts'
import { groupRows, type RowGroup } from './group-rows.ts'
import { type Html, markup } from './html-text.ts'
import { outliersOf } from './outliers.ts'
import { createShownText } from './shown-text.ts'
import { machines, seconds } from './words.ts'

/**
 * A report as one HTML page that needs nothing else: what was the same is folded under the machines that said it, then every machine.
 * It has no script, loads nothing and lets nothing be loaded; what machines say is no markup in it. `textOf`: what is shown of a row.
 */
export function renderHtml<Result>(
  report: FleetReport<Result>,
  { title, textOf }: { readonly title: string; readonly textOf: (row: FleetRow<Result>) => string },
): string {
  const shown = createShownText()
  const groups = groupRows(report.rows, textOf).map((group) => groupOf(group, shown(textOf(group.first))))
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${{ html: STYLE }}</style>
</head>
<body>
<h1>${title}</h1>
${summaryOf(report)}
${unlikeOf(report, textOf)}
<h2>What they said</h2>
${groups}
<h2>Machines</h2>
${tableOf(report.rows)}
</body>
</html>
`
  return page.html
}

const STYLE = `
:root { color-scheme: light dark; --line: #8886; --soft: #8882; --bad: light-dark(#b3261e, #ff8a80); --good: light-dark(#1b6e3c, #7fd8a2) }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
h1, summary, td { overflow-wrap: anywhere }
table { border-collapse: collapse }
td, th { border-bottom: 1px solid var(--line); padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top }
td.number, th.number { text-align: right }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; padding: .4rem .8rem }
summary { cursor: pointer }
pre { background: var(--soft); max-height: 40rem; overflow: auto; padding: .6rem; white-space: pre-wrap; overflow-wrap: anywhere }
.bad { color: var(--bad); font-weight: 600 }
.good { color: var(--good); font-weight: 600 }
`

/** A page may have only this very style, and nothing else from anywhere. */
const POLICY = `default-src 'none'; style-src 'sha256-${hash('sha256', STYLE, 'base64')}'; base-uri 'none'; form-action 'none'`

function summaryOf({ rows, counts, stop, startedAt, durationMs, durations, cost, runId }: FleetReport<unknown>): Html {
  const said = Object.entries(counts).flatMap(([name, count]) => (count === 0 ? [] : [`${count} ${name}`]))
  const facts: readonly (readonly [name: string, text: string | undefined])[] = [
    ['Machines', `${rows.length}: ${said.join(', ') || 'nothing to do'}`],
    ['Stopped', stop?.message],
    ['Began', startedAt],
    ['Took', seconds(durationMs)],
    ['Of machines', durations === null ? undefined : durationsText(durations)],
    ['Cost', cost === null ? undefined : `${cost.toFixed(2)} USD`],
    ['Run', runId],
  ]
  const lines = facts.flatMap(([name, text]) =>
    text === undefined ? [] : [markup`<tr><th>${name}</th><td>${text}</td></tr>\n`],
  )
  return markup`<table>\n${lines}</table>`
}

function durationsText({ p50, p90, p99, max }: Durations): string {
  return `half within ${seconds(p50)}, 90% within ${seconds(p90)}, 99% within ${seconds(p99)}, all within ${seconds(max)}`
}

function unlikeOf<Result>({ rows }: FleetReport<Result>, textOf: (row: FleetRow<Result>) => string): Html {
  const { byOutput, byDuration } = outliersOf(rows, textOf)
  if (byOutput.length + byDuration.length === 0) return markup``
  const line = (row: FleetRow<Result>, how: string) =>
    markup`<tr><td>${row.machine.name}</td><td>${badge(row.outcome)}</td><td>${how}</td></tr>\n`
  const lines = [
    ...byOutput.map((row) => line(row, 'not what most machines said')),
    ...byDuration.map((row) => line(row, `slow: ${seconds(row.durationMs ?? 0)}`)),
  ]
  return markup`<h2>Unlike the others</h2>\n<table>\n${lines}</table>`
}

/** Failures are open, what went well is folded. */
function groupOf({ rows, first }: RowGroup<unknown>, text: string): Html {
  const names = rows.map(({ machine }) => machine.name).join(', ')
  const open = isFailure(first.outcome) ? markup` open` : markup``
  return markup`<details${open}>
<summary>${badge(first.outcome)} ${machines(rows.length)}</summary>
<p>${names}</p>
<pre>${text}</pre>
</details>
`
}

function tableOf(rows: readonly FleetRow<unknown>[]): Html {
  const lines = rows.map((row) => {
    const { machine, wave, outcome, durationMs, attempts, error } = row
    const time = durationMs === null ? '' : seconds(durationMs)
    const about = markup`<td>${machine.name}</td><td class="number">${wave}</td><td>${badge(outcome)}</td>`
    return markup`<tr>${about}<td class="number">${time}</td><td class="number">${attempts}</td><td>${error?.message ?? ''}</td></tr>\n`
  })
  const number = (name: string) => markup`<th class="number">${name}</th>`
  const heads = markup`<th>machine</th>${number('wave')}<th>outcome</th>${number('time')}${number('tries')}<th>why</th>`
  return markup`<details>\n<summary>${machines(rows.length)}</summary>\n<table>\n<tr>${heads}</tr>\n${lines}</table>\n</details>`
}

function badge(outcome: OutcomeName): Html {
  if (outcome === 'ok') return markup`<span class="good">ok</span>`
  return isFailure(outcome) ? markup`<span class="bad">${outcome}</span>` : markup`<span>${outcome}</span>`
}
