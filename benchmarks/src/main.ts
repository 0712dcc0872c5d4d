/**
 * Measures the figures named on the command line, or all, and writes `benchmarks/results.md`. Exits with 1 when a figure
 * is missed or could not be measured, with 2 when there is no such figure.
 */
import { readFile, writeFile } from 'node:fs/promises'
import type { Figure } from './figure.ts'
import { agentMemoryFigure } from './figures/agent-memory.ts'
import { agentsFigure } from './figures/agents.ts'
import { auditFigure } from './figures/audit.ts'
import { copyFigure } from './figures/copy.ts'
import { execFigure } from './figures/exec.ts'
import { fleetFigure } from './figures/fleet.ts'
import { fleetMemoryFigure } from './figures/fleet-memory.ts'
import { loopFigure } from './figures/loop.ts'
import { machinesListFigure } from './figures/machines-list.ts'
import { memoryFigure } from './figures/memory.ts'
import { policyFigure } from './figures/policy.ts'
import { resumeFigure } from './figures/resume.ts'
import { sandboxFigure } from './figures/sandbox.ts'
import { schedulesFigure } from './figures/schedules.ts'
import { startFigure } from './figures/start.ts'
import { streamFigure } from './figures/stream.ts'
import { terminalFigure } from './figures/terminal.ts'
import { tunnelsFigure } from './figures/tunnels.ts'
import { formatSection, isMet, mergeSections, type Outcome } from './report.ts'
import { readVersions } from './versions.ts'

const RESULTS = new URL('../results.md', import.meta.url)
const figures: readonly Figure[] = [
  execFigure,
  streamFigure,
  terminalFigure,
  auditFigure,
  copyFigure,
  fleetFigure,
  fleetMemoryFigure,
  memoryFigure,
  machinesListFigure,
  loopFigure,
  agentsFigure,
  agentMemoryFigure,
  resumeFigure,
  policyFigure,
  sandboxFigure,
  schedulesFigure,
  startFigure,
  tunnelsFigure,
]

const names = process.argv.slice(2)
const unknown = names.filter((name) => !figures.some(({ id }) => id === name))
if (unknown.length > 0) {
  say(`There is no figure ${unknown.join(', ')}; there are: ${figures.map(({ id }) => id).join(', ')}.`)
  process.exit(2)
}

// What was started ends with this process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

const versions = readVersions()
let allMet = true
for (const figure of figures) {
  if (names.length > 0 && !names.includes(figure.id)) continue
  const outcome = await measure(figure)
  allMet &&= isMet(outcome)
  const section = formatSection(figure, outcome, versions)
  say(`\n${section}\n`)
  // After each, so that what was measured is kept when a later one is interrupted.
  const old = await readFile(RESULTS, 'utf8').catch(() => '')
  await writeFile(RESULTS, mergeSections(old, new Map([[figure, section]]), figures))
}
say(allMet ? 'Every figure is met.' : 'A figure is missed, see above.')
process.exitCode = allMet ? 0 : 1

async function measure(figure: Figure): Promise<Outcome> {
  try {
    return { measured: await figure.measure((message) => say(`${figure.id}: ${message}`)) }
  } catch (error) {
    return { failed: error instanceof Error ? error.message : String(error) }
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
