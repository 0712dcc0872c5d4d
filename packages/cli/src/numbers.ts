import { CmdopError } from '@cmdop/protocol'

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const

/** Milliseconds of `500ms`, `30s`, `5m`, `2h` or a number of seconds. Throws `config`. */
export function parseDuration(text: string): number {
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? []
  const ms = amount === undefined ? Number.NaN : Math.round(Number(amount) * UNITS[unit as keyof typeof UNITS])
  if (ms >= 1 && ms <= 2_147_483_647) return ms
  throw new CmdopError('config', `Expected a duration such as 500ms, 30s, 5m or 2h, got "${text}".`)
}

/** A whole number from 1 up, of an option. Throws `config`, naming it. */
export function parseCount(option: string, text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= 1) return count
  throw new CmdopError('config', `Expected ${option} to be a whole number from 1 up, got "${text}".`)
}

/** The port of `--port`, where 0 is any free one. Throws `config`. */
export function parsePort(text: string | undefined, otherwise: number): number {
  const port = text === undefined ? otherwise : Number(text)
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new CmdopError('config', `Expected --port to be a number from 0 to 65535, got "${text}".`)
}
