import type { AlertConfig } from './alert-config.ts'

/** Something critical that goes on: paged once, and resolved when a round does not see it any more. */
export class OnCall {
  readonly #webhook: string
  readonly #open = new Map<string, AlertConfig>()

  /** `webhook`: of the service that wakes people. */
  constructor(webhook: string) {
    this.#webhook = webhook
  }

  /** Takes the alerts of a round. */
  async take(alerts: readonly AlertConfig[]): Promise<void> {
    const critical = new Map(
      alerts.filter(({ severity }) => severity === 'critical').map((each) => [nameOf(each), each]),
    )
    for (const [name, alert] of critical) if (!this.#open.has(name)) await this.#tell('page', alert)
    for (const [name, alert] of this.#open) if (!critical.has(name)) await this.#tell('resolve', alert)
  }

  async #tell(event: 'page' | 'resolve', alert: AlertConfig): Promise<void> {
    const body = JSON.stringify({ event, ...alert })
    const answer = await fetch(this.#webhook, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
    if (!answer.ok) throw new Error(`Nobody was told that ${nameOf(alert)} is critical: status ${answer.status}.`)
    if (event === 'page') this.#open.set(nameOf(alert), alert)
    else this.#open.delete(nameOf(alert))
  }
}

function nameOf({ hostname, metric }: AlertConfig): string {
  return `${hostname} ${metric}`
}
