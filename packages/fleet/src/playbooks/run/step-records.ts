import { hash } from 'node:crypto'
import type { FleetRunSummary } from '@cmdop/core'
import { canonicalJson, type FleetRunStop, isMissing } from '@cmdop/protocol'
import type { PlaybookClient } from '../playbook-client.ts'

/**
 * The fleet run that a part of a playbook is: the same id for whoever goes on with the playbook, so that what was begun is found again.
 * A UUID of version 8 (RFC 9562).
 */
export function partRunId(playbookRunId: string, part: string): string {
  const digest = hash('sha256', `cmdop-playbook-part-v1\n${playbookRunId}\n${part}`)
  const [a, b, c, d, e] = [
    digest.slice(0, 8),
    digest.slice(8, 12),
    digest.slice(13, 16),
    digest.slice(17, 20),
    digest.slice(20, 32),
  ]
  return `${a}-${b}-8${c}-8${d}-${e}`
}

/** Finds and writes what is written down of the parts of one playbook: each is a fleet run of its own. */
export class StepRecords {
  readonly #client: PlaybookClient
  readonly #runId: string

  constructor(client: PlaybookClient, playbookRunId: string) {
    this.#client = client
    this.#runId = playbookRunId
  }

  idOf(part: string): string {
    return partRunId(this.#runId, part)
  }

  /** How a part stands; undefined: it was not begun. */
  async find(part: string): Promise<FleetRunSummary | undefined> {
    try {
      return await this.#client.fleetRuns.get(this.idOf(part))
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  /** Writes down that a part begins that does nothing on machines; or goes on with it. Gives what `end` is called with. */
  async begin(part: string, about: { readonly title: string; readonly plan: object }): Promise<{ epoch: number }> {
    const runId = this.idOf(part)
    if ((await this.find(part)) !== undefined) return this.#client.fleetRuns.claim(runId)
    const plan = JSON.parse(JSON.stringify({ version: 1, part, of: this.#runId, ...about.plan })) as Record<
      string,
      unknown
    >
    const planDigest = hash('sha256', canonicalJson({ plan, targets: [] }))
    const title = about.title.slice(0, 256)
    return this.#client.fleetRuns.create({ runId, kind: 'playbook', title, plan, planDigest, targets: [] })
  }

  /** Writes down how it ended. */
  async end(part: string, { epoch }: { epoch: number }, stop?: FleetRunStop): Promise<void> {
    const state = stop === undefined ? 'ended' : stop.reason === 'cancelled' ? 'cancelled' : 'stopped'
    const bounded = stop === undefined ? {} : { stop: { ...stop, message: stop.message.slice(0, 4096) } }
    await this.#client.fleetRuns.record(this.idOf(part), { epoch, rows: [], state, ...bounded })
  }
}
