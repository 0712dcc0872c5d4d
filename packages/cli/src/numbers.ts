import { CmdopError } from '@cmdop/protocol'

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** What a timer of Node can wait for: some 24 days. */
const LONGEST_WAIT_MS = 2_147_483_647

/** Milliseconds of `500ms`, `30s`, `5m`, `2h`, `7d` or a number of seconds, for what is waited for here: at most 24 days. Throws `config`. */
export function parseDuration(text: string): number {
  return milliseconds(text, LONGEST_WAIT_MS)
}

/** The same without a limit of its own, for what the relay counts. */
export function parseSpan(text: string): number {
  return milliseconds(text, Number.MAX_SAFE_INTEGER)
}

function milliseconds(text: string, longestMs: number): number {
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text) ?? []
  const ms = amount === undefined ? Number.NaN : Math.round(Number(amount) * UNITS[unit as keyof typeof UNITS])
  if (ms >= 1 && ms <= longestMs) return ms
  const most = ms > longestMs ? `of at most ${Math.floor(longestMs / UNITS.d)}d` : 'such as 500ms, 30s, 5m, 2h or 7d'
  throw new CmdopError('config', `Expected a duration ${most}, got "${text}".`)
}

/** What stands behind a number of bytes, in small letters, and what it means. */
export const byteFactors: Readonly<Record<string, number>> = {
  '': 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
}

/** Bytes of an option: `16384`, `512M` or `2G`. Throws `config`, naming it. */
export function parseBytes(option: string, text: string): number {
  const [, number, unit = ''] = /^(\d+)([kmgt]?)$/i.exec(text) ?? []
  const bytes = Number(number) * (byteFactors[unit.toLowerCase()] ?? 1)
  if (Number.isSafeInteger(bytes) && bytes >= 1) return bytes
  throw new CmdopError('config', `Expected ${option} to be bytes such as 16384, 512M or 2G, got "${text}".`)
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
