import { outcomes, type OutcomeName } from '@cmdop/protocol'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CommandResult } from '../jobs/exec/exec-job.ts'
import type { FleetRow } from '../run/fleet-row.ts'
import { reportOf } from './fleet-report.ts'
import { outliersOf } from './outliers.ts'
import { renderJunit } from './render-junit.ts'
import { renderMarkdown } from './render-markdown.ts'
import { endOf, renderCommandText } from './render-text.ts'

const result = (stdout: string, exitCode = 0): CommandResult => ({
  exitCode,
  signal: null,
  stdout,
  stderr: '',
  stdoutBytes: stdout.length,
  stderrBytes: 0,
  stdoutTruncated: false,
  stderrTruncated: false,
  effect: null,
  durationMs: 3,
})

function row(
  name: string,
  outcome: OutcomeName,
  given: Partial<FleetRow<CommandResult>> = {},
): FleetRow<CommandResult> {
  const machine = { id: `mch_${name}`, name, hostname: name, labels: {} }
  const tried = outcome === 'skipped' ? { startedAt: null, durationMs: null, attempts: 0 } : { attempts: 1 }
  return {
    machine,
    wave: 1,
    outcome,
    result: null,
    error: null,
    startedAt: 'x',
    durationMs: 20,
    ...tried,
    ...given,
  } as const
}

const rows = [
  row('web-1', 'ok', { result: result('6.1.0\n'), durationMs: 10 }),
  row('web-2', 'ok', { result: result('6.1.0\n') }),
  row('web-3', 'failed', { result: result('<b>|\u001b[31m', 3) }),
  row('web-4', 'unreachable', { error: { code: 'unavailable', message: 'It is offline.', details: {} } }),
  row('web-5', 'skipped'),
]
const report = reportOf({
  runId: 'run',
  rows,
  stop: { reason: 'failures', message: 'Too many.' },
  maxFailures: 1,
  startedAt: '2030-01-01T00:00:00.000Z',
  durationMs: 1234,
})
const textOf = (each: FleetRow<CommandResult>) => `${endOf(each)}\n${each.result?.stdout ?? ''}`

test('a report counts every outcome, and says what failed and how long it took', () => {
  expect(Object.keys(report.counts)).toEqual(Object.keys(outcomes))
  expect(report).toMatchObject({
    ok: false,
    failures: 2,
    maxFailures: 1,
    durations: { p50: 20, p90: 20, p99: 20, max: 20 },
  })
  expect(report.cost).toBeNull()
  expect(report.counts).toMatchObject({ ok: 2, failed: 1, unreachable: 1, skipped: 1, lost: 0 })
  expect(reportOf({ ...report, rows: [], stop: undefined, maxFailures: Infinity })).toMatchObject({
    ok: true,
    maxFailures: null,
    durations: null,
  })
})

test('in a terminal what is the same is shown once, with the machines that said it', () => {
  expect(renderCommandText(report)).toBe(
    [
      '== 2 machines: web-1, web-2',
      '   ok: exit code 0',
      '6.1.0',
      '',
      '== 1 machine: web-3',
      '   failed: exit code 3',
      '<b>|\u{fffd}[31m',
      '',
      '== 1 machine: web-4',
      '   unreachable: It is offline.',
      '',
      '== 1 machine: web-5',
      '   skipped',
      '',
      '5 machines in 1.2 s: 2 ok, 1 failed, 1 unreachable, 1 skipped',
      'Stopped: Too many.',
      '',
    ].join('\n'),
  )
})

test('as JUnit XML every machine is a case, and what machines say is no markup', () => {
  const xml = renderJunit(report, { name: 'uname -r & "x"', textOf })
  expect(xml).toContain('<testsuites tests="5" failures="2" errors="0" skipped="1" time="1.234">')
  expect(xml).toContain('<testcase classname="uname -r &amp; &quot;x&quot;" name="web-1" time="0.010">')
  expect(xml).toContain('<failure type="failed" message="failed">failed: exit code 3\n&lt;b&gt;|\ufffd[31m</failure>')
  expect(xml).toContain('<failure type="unreachable" message="It is offline.">')
  expect(xml).toContain('<skipped message="skipped"/>')
  expect(xml.match(/<testcase /g)).toHaveLength(5)
})

test('as Markdown what machines say is no markup', () => {
  const text = renderMarkdown(report, { title: 'Kernel\nversions', textOf })
  expect(text).toContain('# Kernel versions\n')
  expect(text).toContain('| ok | 2 | web-1, web-2 | ok: exit code 0 6.1.0 |')
  expect(text).toContain('| failed | 1 | web-3 | failed: exit code 3 \\<b\\>\\| \\[31m |')
})

test('durations are told by nearest rank, and what models cost is summed up', () => {
  const timed = Array.from({ length: 200 }, (_, index) => row(`m${index}`, 'ok', { durationMs: index + 1 }))
  expect(reportOf({ ...report, rows: timed, stop: undefined, maxFailures: 0 }).durations).toEqual({
    p50: 100,
    p90: 180,
    p99: 198,
    max: 200,
  })
  const priced = [0.25, null, 0.5].map((cost, index) => ({ ...row(`m${index}`, 'ok'), result: { cost } }))
  expect(reportOf({ ...report, rows: priced, stop: undefined, maxFailures: 0 }).cost).toBe(0.75)
})

test('who says or does what most do not, or takes much longer than they, is told apart', () => {
  const said = (name: string, text: string, durationMs: number) => row(name, 'ok', { result: result(text), durationMs })
  const many = Array.from({ length: 9 }, (_, index) => said(`m${index}`, 'same', 100 + index))
  const same = ({ result: given }: FleetRow<CommandResult>) => given?.stdout ?? ''
  const names = (list: readonly FleetRow<CommandResult>[]) => list.map(({ machine }) => machine.name)
  const odd = outliersOf([...many, said('odd', 'other', 100), said('slow', 'same', 4000), row('idle', 'skipped')], same)
  expect([names(odd.byOutput), names(odd.byDuration)]).toEqual([['odd'], ['slow']])
  // Where nobody is most, nobody is unlike the others; and what takes a moment longer is not slow.
  const halves = outliersOf([said('a', 'x', 1), said('b', 'y', 1), said('c', 'z', 30), said('d', 'w', 1)], same)
  expect(halves).toEqual({ byOutput: [], byDuration: [] })
})

test('as JUnit XML every character is one that XML has, whatever machines are called and say', () => {
  const text = fc.string({ unit: 'binary' })
  fc.assert(
    fc.property(text, text, text, (name, said, title) => {
      const rowsOf = [row(name, 'ok', { result: result(said) }), row(name, 'failed', { result: result(said, 1) })]
      const hostile = reportOf({ ...report, rows: rowsOf, stop: undefined, maxFailures: 0 })
      const document = renderJunit(hostile, { name: title, textOf })
      // https://www.w3.org/TR/xml/#charsets
      expect(document).toMatch(/^[\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]*$/u)
      const tags = document.match(/<[^>]*>/g) ?? []
      expect(tags.map((tag) => /^<[?/]?([\w-]+)/.exec(tag)?.[1])).toEqual(
        'xml testsuites testsuite testcase system-out system-out testcase testcase failure failure testcase testsuite testsuites'.split(
          ' ',
        ),
      )
      expect(document.replaceAll(/<[^>]*>/g, '')).not.toMatch(/[<>]|&(?!amp;|lt;|gt;|quot;|apos;)/)
    }),
  )
})
