const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/**
 * A moment as a model writes it, in milliseconds: ISO 8601 (without a zone: UTC), `now`, or how long ago (`15m`, `2h`, `1d`).
 * undefined for anything else.
 */
export function parseMoment(text: string, now: number): number | undefined {
  const ago = /^-?(\d+(?:\.\d+)?)\s*([smhd])(?:\s*ago)?$/.exec(text.trim())
  if (ago !== null) return now - Number(ago[1]) * unitMs[ago[2] as keyof typeof unitMs]
  if (text.trim() === 'now') return now
  return isoTime(text.trim())
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/**
 * The time at which a log line says it was written, in milliseconds: ISO 8601, syslog (`Jan  2 03:04:05`, of the last
 * year that makes it past), common log format (`02/Jan/2026:03:04:05 +0000`), or seconds since 1970. A time without a
 * zone is read as UTC. undefined: the line says none, as the second line of a stack trace.
 */
export function timeOfLine(line: string, now: number): number | undefined {
  const start = line.slice(0, 200)
  const iso = /\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?\s?(?:Z|[+-]\d\d:?\d\d)?/.exec(start)
  if (iso !== null) return isoTime(iso[0])
  const common = /(\d\d)\/([A-Z][a-z]{2})\/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d{4})/.exec(start)
  if (common !== null) return isoTime(`${common[3]}-${monthOf(common[2])}-${common[1]}T${common[4]}${common[5]}`)
  const syslog = /^(?:<\d+>)?([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d:\d\d:\d\d)/.exec(start)
  if (syslog !== null) return syslogTime(syslog, now)
  const epoch = /^\[?(1\d{9})(\.\d+)?\b/.exec(start)
  return epoch === null ? undefined : Number(`${epoch[1]}${epoch[2] ?? ''}`) * 1000
}

function syslogTime([, month, day = '', time]: RegExpExecArray, now: number): number | undefined {
  const inYear = (year: number): number | undefined =>
    isoTime(`${year}-${monthOf(month)}-${day.padStart(2, '0')}T${time}Z`)
  const year = new Date(now).getUTCFullYear()
  const candidate = inYear(year)
  // A day of leeway for machines that are ahead of us.
  return candidate !== undefined && candidate > now + unitMs.d ? inYear(year - 1) : candidate
}

function monthOf(name: string | undefined): string {
  return String(months.indexOf(name ?? '') + 1).padStart(2, '0')
}

function isoTime(text: string): number | undefined {
  const iso = text
    .replaceAll('/', '-')
    .replace(' ', 'T')
    .replace(',', '.')
    .replace(/\s/g, '')
    .replace(/([+-]\d\d)(\d\d)$/, '$1:$2')
  const zoned = /(?:Z|[+-]\d\d:\d\d)$/.test(iso) || !iso.includes('T') ? iso : `${iso}Z`
  const time = Date.parse(zoned)
  return Number.isNaN(time) ? undefined : time
}
