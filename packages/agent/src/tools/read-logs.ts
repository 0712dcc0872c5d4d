import type { Execution } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'
import * as z from 'zod/v4'
import { boundedText } from './bounded-text.ts'
import { LineFilter } from './line-filter.ts'
import { parseMoment } from './log-time.ts'
import { defineTool, type ToolContext, type ToolOutcome } from './tool.ts'

/** How much of the end of a text log is looked through. */
const scannedBytes = 64 * 1024 * 1024

/** Seconds a look may take. */
const timeoutSeconds = 60

const moment = (name: string) =>
  z.string().optional().describe(`${name}: ISO 8601 (UTC without a zone), or how long ago: 15m, 2h, 1d.`)

const Input = z
  .object({
    unit: z.string().optional().describe('A systemd unit, from the journal: nginx.service.'),
    path: z
      .string()
      .startsWith('/')
      .optional()
      .describe('A text log, a journal file (*.journal) or a directory of them. Default: the journal.'),
    since: moment('Not before'),
    until: moment('Not after'),
    pattern: z
      .string()
      .min(1)
      .max(1000)
      .optional()
      .describe('Only lines that match this extended regular expression, in any case.'),
    limit: z.int().positive().max(2000).optional().describe('Most lines, the newest. Default 200.'),
  })
  .refine(
    ({ unit, path }) => unit === undefined || path === undefined || isJournal(path),
    'a unit is of the journal, not of a text log',
  )

type Input = z.infer<typeof Input>

/** Reads logs: the journal and its files through `journalctl`, and text logs; by time and pattern. */
export const readLogs = defineTool({
  name: 'read_logs',
  description:
    'Reads logs of the machine, the newest lines: the systemd journal (of a unit or whole), or a text log (its last 64 MiB), by time and pattern.',
  input: Input,
  readOnly: true,
  run: (input, context) => {
    const now = Date.now()
    const since = momentOf('since', input.since, now)
    const until = momentOf('until', input.until, now)
    return input.path === undefined || isJournal(input.path)
      ? look(context, journal(input, { since, until }), new LineFilter({ limit: input.limit ?? 200, now }))
      : look(context, textLog(input, input.path), new LineFilter({ limit: input.limit ?? 200, now, since, until }))
  },
})

function isJournal(path: string): boolean {
  return path.endsWith('.journal') || path.startsWith('/var/log/journal') || path.startsWith('/run/log/journal')
}

function momentOf(name: string, text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined
  const time = parseMoment(text, now)
  if (time !== undefined) return time
  throw new CmdopError(
    'validation',
    `Expected ${name} to be ISO 8601 or how long ago (15m, 2h, 1d), got ${JSON.stringify(text)}.`,
  )
}

interface Span {
  readonly since?: number | undefined
  readonly until?: number | undefined
}

function journal({ unit, path, pattern, limit = 200 }: Input, { since, until }: Span): readonly string[] {
  const at = (time: number): string => `@${Math.floor(time / 1000)}`
  const place = path === undefined ? [] : path.endsWith('.journal') ? [`--file=${path}`] : [`--directory=${path}`]
  return [
    'journalctl',
    '--no-pager',
    '--quiet',
    '--output=short-iso',
    `--lines=${limit}`,
    ...place,
    ...(unit === undefined ? [] : [`--unit=${unit}`]),
    ...(since === undefined ? [] : [`--since=${at(since)}`]),
    ...(until === undefined ? [] : [`--until=${at(until)}`]),
    ...(pattern === undefined ? [] : [`--grep=${pattern}`, '--case-sensitive=false']),
  ]
}

/** The script is ours; path and pattern are its arguments and are never read as a command. */
const script = `test -e "$1" || { echo "There is no log at $1." >&2; exit 2; }
if [ -n "$2" ]; then tail -c ${scannedBytes} -- "$1" | grep -aiE -e "$2"; [ $? -le 1 ]; else tail -c ${scannedBytes} -- "$1"; fi`

function textLog({ pattern }: Input, path: string): readonly string[] {
  return ['/bin/sh', '-c', script, 'read_logs', path, pattern ?? '']
}

async function look(context: ToolContext, command: readonly string[], filter: LineFilter): Promise<ToolOutcome> {
  const { machine, signal, redactor, fence, limitBytes } = context
  const execution: Execution = machine.exec(command, { signal, deadlineMs: timeoutSeconds * 1000 })
  const cleaned = redactor.stream()
  let complaint = ''
  for await (const { stream, data } of execution) {
    if (stream === 'stdout') filter.add(cleaned.push(data))
    else if (complaint.length < 2_000) complaint += Buffer.from(data).toString()
  }
  filter.add(cleaned.end())
  const { exitCode } = await execution.exit
  const { lines, matched } = filter.end()
  if (lines.length === 0 && complaint.trim() !== '' && exitCode !== 0) {
    throw new CmdopError('not_found', `The logs cannot be read: ${redactor.text(complaint.trim()).slice(0, 500)}`)
  }
  const data = Buffer.from(lines.join('\n'))
  const { text, shownBytes, truncated } = boundedText(data, data.length, limitBytes)
  const note =
    matched > lines.length
      ? `\nThe newest ${lines.length} of ${matched} lines; narrow the time or the pattern for others.`
      : lines.length === 0
        ? '\nNo line fits. A machine without a journal has text logs: see list_files of /var/log.'
        : ''
  return {
    text: `${fence.enclose(`log, ${lines.length} lines`, text)}${note}`,
    shownBytes,
    output: { lines: lines.length, matched, text, truncated },
  }
}
