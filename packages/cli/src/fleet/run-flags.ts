import type { FleetOptions, GateMoment, Targets, WaveSize } from '@cmdop/fleet'
import { CmdopError, OutcomeName } from '@cmdop/protocol'
import { parseCount, parseDuration } from '../numbers.ts'

/** What says which machines, and how a run goes over them. */
export interface RunFlags {
  on?: string
  onRun?: string[]
  waves?: string
  bake?: string
  maxFailures?: string
  concurrency?: string
  per?: string[]
  timeout?: string
  retries?: string
  order?: string
  notAfter?: string
  queue?: string
  atLeastOnce?: boolean
  title?: string
  runId?: string
  allowEmpty?: boolean
  approval?: string
}

/** `--on`, `--on-run`, or machines that are of both. Throws `config` for neither. */
export function targetsOf({ on, onRun = [] }: Pick<RunFlags, 'on' | 'onRun'>): Targets {
  const runs = onRun.map((text): Targets => {
    const [run = '', names] = text.split(':', 2)
    if (names === undefined) return { run }
    return { run, outcomes: names.split(',').map(parseOutcome) }
  })
  const all: Targets[] = [...(on === undefined ? [] : [on]), ...(runs.length === 0 ? [] : [{ anyOf: runs }])]
  if (all.length > 0) return { allOf: all }
  throw new CmdopError('config', "Expected --on 'role=web', or --on-run <run>:failed,timeout.")
}

/** How a run goes over its machines, by the flags. Throws `config`. */
export function runOptionsOf(flags: RunFlags): Omit<FleetOptions<never>, 'check'> & { title?: string } {
  const { waves, bake, maxFailures, concurrency, timeout, retries, order, title, runId, allowEmpty } = flags
  const { notAfter, queue, atLeastOnce } = flags
  const total = concurrency === undefined ? {} : { total: parseCount('--concurrency', concurrency) }
  const per = flags.per === undefined ? {} : { per: Object.fromEntries(flags.per.map(parsePer)) }
  return {
    concurrency: { ...total, ...per },
    ...(waves === undefined ? {} : { waves: waves.split(',').map((size) => parseSize('--waves', size)) }),
    ...(bake === undefined ? {} : { bakeMs: parseDuration(bake) }),
    ...(maxFailures === undefined ? {} : { maxFailures: parseSize('--max-failures', maxFailures) }),
    ...(timeout === undefined ? {} : { timeoutMs: parseDuration(timeout) }),
    ...(retries === undefined ? {} : { retries: parseCount('--retries', retries) }),
    ...(order === undefined ? {} : { order: parseOrder(order) }),
    ...(notAfter === undefined ? {} : { notAfter: parseInstant(notAfter) }),
    ...(queue === undefined ? {} : { queue: { maxAgeMs: parseDuration(queue) } }),
    ...(atLeastOnce === true ? { delivery: 'at-least-once' as const } : {}),
    ...(title === undefined ? {} : { title }),
    ...(runId === undefined ? {} : { runId }),
    ...(allowEmpty === true ? { allowEmpty } : {}),
    ...(flags.approval === undefined ? {} : { approval: parseApproval(flags.approval) }),
  }
}

/** `--env NAME=VALUE`. Throws `config`. */
export function envOf({ env }: { env?: string[] }): { env?: Record<string, string> } {
  if (env === undefined) return {}
  const pairs = env.map((text): [string, string] => {
    const at = text.indexOf('=')
    if (at < 1) throw new CmdopError('config', `Expected --env to be NAME=VALUE, got "${text}".`)
    return [text.slice(0, at), text.slice(at + 1)]
  })
  return { env: Object.fromEntries(pairs) }
}

function parseSize(option: string, text: string): WaveSize {
  const size = text.trim()
  if (/^\d+(\.\d+)?%$/.test(size)) return size as WaveSize
  if (/^\d+$/.test(size)) return Number(size)
  throw new CmdopError('config', `Expected ${option} to be counts or percentages such as 1 or 25%, got "${text}".`)
}

function parsePer(text: string): [string, number] {
  const [, label = '', count = ''] = /^([^=]+)=(\d+)$/.exec(text) ?? []
  if (label !== '') return [label, parseCount('--per', count)]
  throw new CmdopError('config', `Expected --per to be a label and a count such as zone=1, got "${text}".`)
}

function parseApproval(text: string): GateMoment {
  if (text === 'before' || text === 'wave' || text === 'machine' || text === 'effects') return text
  throw new CmdopError('config', `Expected --approval to be before, wave, machine or effects, got "${text}".`)
}

function parseOrder(text: string): 'name' | 'reverse' | 'shuffle' {
  if (text === 'name' || text === 'reverse' || text === 'shuffle') return text
  throw new CmdopError('config', `Expected --order to be name, reverse or shuffle, got "${text}".`)
}

function parseOutcome(text: string): OutcomeName {
  const known = OutcomeName.safeParse(text.trim())
  if (known.success) return known.data
  throw new CmdopError('config', `Expected outcomes of ${OutcomeName.options.join(', ')}, got "${text}".`)
}

/** An instant, or a time from now. */
function parseInstant(text: string): Date {
  const at = new Date(text)
  if (/^\d{4}-/.test(text) && !Number.isNaN(at.getTime())) return at
  return new Date(Date.now() + parseDuration(text))
}
