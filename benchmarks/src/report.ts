import type { Figure, Measurement, Row } from './figure.ts'
import type { Versions } from './versions.ts'

/** How the measuring of a figure ended. */
export type Outcome = { readonly measured: Measurement } | { readonly failed: string }

const HEADING = `# Results

Written by \`npm run bench\`. Peers run in the same run as ours, in alternating rounds, so that noise meets both: read the
ratios first. A ratio is peer over ours (over 1 = ours is faster), except where it says how much ours takes over its peer.
`

/** Whether everything that has a bound was measured and is within it. */
export function isMet(outcome: Outcome): boolean {
  return 'measured' in outcome && outcome.measured.rows.every(({ met }) => met !== false)
}

/** The section of a figure, with where and when it was measured. */
export function formatSection(figure: Figure, outcome: Outcome, versions: Versions): string {
  const body = 'measured' in outcome ? formatMeasurement(outcome.measured) : `**Not measured:** ${outcome.failed}`
  const { date, commit, machine, software } = versions
  const where = [`- ${date}, commit ${commit}`, `- ${machine}`, `- ${software}`]
  return [headingOf(figure), body, where.join('\n')].join('\n\n')
}

/** The whole file: new sections in place of old ones, the others as they were, in the order of the figures. */
export function mergeSections(old: string, sections: ReadonlyMap<Figure, string>, figures: readonly Figure[]): string {
  const kept = old.split(/^(?=## )/m)
  const all = figures.map((figure) => {
    const known = kept.find((section) => section.startsWith(`${headingOf(figure)}\n`))
    return sections.get(figure) ?? known?.trim() ?? `${headingOf(figure)}\n\nNot run yet.`
  })
  return `${[HEADING.trim(), ...all].join('\n\n')}\n`
}

function headingOf({ id, title }: Figure): string {
  return `## ${id}: ${title}`
}

function formatMeasurement({ rows, notes, missing = [] }: Measurement): string {
  const table = [
    '| figure | ours | peer | ratio | bound | met |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows.map(formatRow),
  ]
  const install = `**Missing peers.** Install them and run again: \`apt-get install ${missing.join(' ')}\``
  const parts = [
    table.join('\n'),
    ...(missing.length === 0 ? [] : [install]),
    notes.map((note) => `- ${note}`).join('\n'),
  ]
  return parts.join('\n\n')
}

function formatRow({ what, ours, peer, ratio, bound, met }: Row): string {
  const answer = met === undefined ? '' : met ? 'yes' : '**no**'
  return `| ${[what, ours, peer, ratio, bound, answer].join(' | ')} |`
}
