import type { FleetRow } from '../run/fleet-row.ts'
import type { FleetReport } from './fleet-report.ts'
import { groupRows } from './group-rows.ts'
import { summaryLine, unlike } from './render-text.ts'

/** A report as Markdown: a table of groups, each with its machines and what they said. `textOf`: what is shown of a row. */
export function renderMarkdown<Result>(
  report: FleetReport<Result>,
  { title, textOf }: { readonly title: string; readonly textOf: (row: FleetRow<Result>) => string },
): string {
  const groups = groupRows(report.rows, textOf)
  const lines = groups.map(({ rows, first }) => {
    const names = rows.map(({ machine }) => cell(machine.name)).join(', ')
    return `| ${first.outcome} | ${rows.length} | ${names} | ${cell(textOf(first).slice(0, 500))} |`
  })
  const table = ['| outcome | machines | names | said |', '| --- | ---: | --- | --- |', ...lines].join('\n')
  const about = [summaryLine(report), ...unlike(report, textOf)].map(cell).join('\n\n')
  return `# ${cell(title)}\n\n${about}\n\n${table}\n`
}

/** What machines say is no markup here. */
function cell(text: string): string {
  return line(text).replaceAll(/[\\`*_{}[\]<>#|~]/g, (character) => `\\${character}`)
}

function line(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are the ones to replace
  return text.trim().replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
}
