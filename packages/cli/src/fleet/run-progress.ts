import type { FleetEvent } from '@cmdop/fleet'
import { printable } from '../terminal.ts'

/** Machines that are named as waited for. */
const STRAGGLERS = 3

/** Waves that have a line of their own: those around the one that goes on. */
const WAVES = 5

/** Characters of a bar. */
const BAR = 24

/** Machines that have to be done before it is said when the rest will be. */
const ENOUGH = 3

/** How far a run is. Times are milliseconds of one clock that the caller has. */
export class RunProgress {
  readonly #startedAt: number
  #sizes: readonly number[] = []
  #wave = 0
  /** Machines that are done, of each wave, from 0. */
  readonly #done: number[] = []
  readonly #outcomes = new Map<string, number>()
  readonly #running = new Map<string, { readonly name: string; readonly since: number }>()

  constructor(startedAt: number) {
    this.#startedAt = startedAt
  }

  see(event: FleetEvent<unknown>, now: number): void {
    if (event.type === 'wave-start') {
      this.#wave = event.wave
      this.#sizes = event.sizes
    }
    if (event.type === 'machine-start') this.#running.set(event.machine.id, { name: event.machine.name, since: now })
    if (event.type === 'machine-end') {
      const { machine, outcome, wave } = event.row
      this.#running.delete(machine.id)
      this.#done[wave - 1] = (this.#done[wave - 1] ?? 0) + 1
      this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1)
    }
    // With those that another script has done.
    if (event.type === 'wave-end') this.#done[event.wave - 1] = event.rows.length
  }

  /** What is shown now, no line wider than the terminal. */
  lines(now: number, columns: number): string[] {
    const lines = [...this.#bars(), this.#summary(now), ...this.#stragglers(now)]
    return lines.map((line) =>
      Array.from(printable(line))
        .slice(0, Math.max(10, columns - 1))
        .join(''),
    )
  }

  /** `wave 2/3  ########............  12/36` */
  #bars(): string[] {
    const first = Math.max(0, Math.min(this.#wave - 1 - Math.floor(WAVES / 2), this.#sizes.length - WAVES))
    return this.#sizes.slice(first, first + WAVES).map((size, index) => {
      const done = this.#done[first + index] ?? 0
      const filled = Math.floor((BAR * done) / Math.max(1, size))
      const bar = '#'.repeat(filled) + '.'.repeat(BAR - filled)
      return `wave ${first + index + 1}/${this.#sizes.length}  ${bar}  ${done}/${size}`
    })
  }

  /** `10 ok, 2 failed  3 running  about 12 s left` */
  #summary(now: number): string {
    const counts = Array.from(this.#outcomes, ([outcome, count]) => `${count} ${outcome}`).join(', ')
    const left = this.#leftMs(now)
    const parts = [
      counts === '' ? 'none is done' : counts,
      `${this.#running.size} running`,
      ...(left === undefined ? [] : [`about ${time(left)} left`]),
    ]
    return parts.join('  ')
  }

  /** Those that run longest. */
  #stragglers(now: number): string[] {
    // In the order in which they began.
    const longest = Array.from(this.#running.values()).slice(0, STRAGGLERS)
    return longest.length === 0
      ? []
      : [`waiting for ${longest.map(({ name, since }) => `${name} ${time(now - since)}`).join(', ')}`]
  }

  /** As if the rest took as long as what is done; undefined: too little is. */
  #leftMs(now: number): number | undefined {
    const total = this.#sizes.reduce((sum, size) => sum + size, 0)
    const done = Array.from(this.#outcomes.values()).reduce((sum, count) => sum + count, 0)
    const known = this.#done.reduce((sum, count) => sum + count, 0)
    if (done < ENOUGH || known >= total) return undefined
    return ((now - this.#startedAt) / done) * (total - known)
  }
}

/** `12 s`, `3 min` */
function time(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  return seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`
}
