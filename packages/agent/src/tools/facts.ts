import type { Facts } from '@cmdop/protocol'
import * as z from 'zod/v4'
import { defineTool } from './tool.ts'

const parts = [
  'os',
  'uptimeSeconds',
  'cpu',
  'load',
  'memory',
  'disks',
  'services',
  'ports',
  'containers',
  'processes',
] as const

const Input = z.object({
  parts: z.array(z.enum(parts)).min(1).optional().describe('Only these parts. Default: all.'),
  limit: z.int().positive().max(1000).optional().describe('Most entries of each list. Default 100.'),
})

/**
 * Reads what the machine says of itself. The answer is JSON in the form of `Facts`, with `omitted` beside it: how many
 * entries of which list are left out. It is bounded by the lists' lengths, never cut in its middle.
 */
export const facts = defineTool({
  name: 'facts',
  description:
    'Reads the machine: host name, system, uptime, processors, load, memory, disks, services, listening ports, containers, top processes. ' +
    'Sizes are bytes. A part that is null could not be read; `unavailable` says why. Prefer this to commands.',
  input: Input,
  readOnly: true,
  run: async (input, { machine, fence, signal }) => {
    const all = await machine.facts({ signal })
    const { facts: shown, omitted } = shortened(selected(all, input.parts), input.limit ?? 100)
    const json = JSON.stringify({ ...shown, ...(Object.keys(omitted).length === 0 ? {} : { omitted }) })
    return { text: fence.enclose('facts', json), shownBytes: Buffer.byteLength(json), output: all }
  },
})

function selected(all: Facts, wanted: readonly (typeof parts)[number][] | undefined): Partial<Facts> {
  if (wanted === undefined) return all
  const { collectedAt, hostname, unavailable } = all
  return { collectedAt, hostname, unavailable, ...Object.fromEntries(wanted.map((part) => [part, all[part]])) }
}

/** Every list cut to `limit`, with the number of entries each lost, by the list's path. */
function shortened(facts: Partial<Facts>, limit: number): { facts: Partial<Facts>; omitted: Record<string, number> } {
  const omitted: Record<string, number> = {}
  const cut = <T>(path: string, list: readonly T[]): T[] => {
    if (list.length > limit) omitted[path] = list.length - limit
    return list.slice(0, limit)
  }
  const { disks, services, ports, containers } = facts
  return {
    facts: {
      ...facts,
      ...(disks ? { disks: cut('disks', disks) } : {}),
      ...(services
        ? {
            services: {
              source: services.source,
              running: cut('services.running', services.running),
              failed: services.failed && cut('services.failed', services.failed),
            },
          }
        : {}),
      ...(ports ? { ports: cut('ports', ports) } : {}),
      ...(containers ? { containers: cut('containers', containers) } : {}),
    },
    omitted,
  }
}
