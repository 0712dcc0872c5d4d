/** How much harm a command can do, the worst last. */
export const dangers = ['low', 'medium', 'high', 'critical'] as const

export type DangerLevel = (typeof dangers)[number]

/** How much harm a command can do, and one sentence why. */
export interface Danger {
  readonly level: DangerLevel
  readonly reason: string
}

export const NO_DANGER: Danger = { level: 'low', reason: 'It only reads.' }

/** The worse of two. */
export function worseDanger(one: Danger, other: Danger): Danger {
  return dangers.indexOf(other.level) > dangers.indexOf(one.level) ? other : one
}
