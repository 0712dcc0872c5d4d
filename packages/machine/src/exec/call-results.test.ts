import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KEPT_RESULT_MS } from '@cmdop/protocol'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type CallResult, CallResults } from './call-results.ts'
import { KeptStream } from './kept-stream.ts'

let parent = ''
let folder = ''
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'cmdop-results-'))
  folder = join(parent, 'results')
})
afterEach(() => rmSync(parent, { recursive: true }))

const end = { reason: 'exited' as const, exitCode: 3, signal: null, stdoutBytes: 4, stderrBytes: 2, durationMs: 1.5 }
const result = (callId: string, more: Partial<CallResult> = {}): CallResult => ({
  callId,
  principalId: 'prn_one',
  fleetId: 'flt_one',
  end,
  failure: null,
  stdout: Buffer.from([0, 10, 255, 7]),
  stderr: Buffer.from('no'),
  ...more,
})

describe('the results of calls', () => {
  test('are there for a later daemon, byte for byte', async () => {
    const failure = { code: 'lost', message: 'Gone.', details: { a: 1 } }
    const lost = result('call_lost', { end: null, failure, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) })
    const results = new CallResults(folder)
    await results.save(result('call_one'))
    await results.save(lost)
    const later = new CallResults(folder)
    expect(await later.find('call_one')).toEqual(result('call_one'))
    expect(await later.find('call_lost')).toEqual(lost)
    expect(await later.find('call_none')).toBeUndefined()
    expect([later.has('call_one'), later.has('call_none')]).toEqual([true, false])
    expect(statSync(join(folder, 'call_one.result')).mode & 0o777).toBe(0o600)
  })

  test('are forgotten after seven days', async () => {
    await new CallResults(folder).save(result('call_old'))
    const old = (Date.now() - KEPT_RESULT_MS - 1000) / 1000
    utimesSync(join(folder, 'call_old.result'), old, old)
    const later = new CallResults(folder)
    expect(later.has('call_old')).toBe(false)
    expect(readdirSync(folder)).toEqual(['remembered-since'])
  })

  test('say since when nothing is missing: since the folder is there, at most seven days', () => {
    const before = Date.now()
    const { since } = new CallResults(folder)
    expect(since).toBeGreaterThanOrEqual(before)
    expect(new CallResults(folder).since).toBe(since)
    writeFileSync(join(folder, 'remembered-since'), '1')
    expect(new CallResults(folder).since).toBeGreaterThan(Date.now() - KEPT_RESULT_MS - 60_000)
  })

  test('are not said to be all there after a crash of the machine', () => {
    const results = new CallResults(folder)
    const later = results.since + 5000
    results.forgetBefore(later)
    results.forgetBefore(later - 1000)
    expect(results.since).toBe(later)
    expect(new CallResults(folder).since).toBe(later)
  })

  test('that cannot be kept are said to be missing: nobody takes their calls for ones that never arrived', async () => {
    const results = new CallResults(folder)
    mkdirSync(join(folder, 'call_1.result.new'))
    const started = Date.now()
    await expect(results.save(result('call_1'))).rejects.toThrow('EISDIR')
    expect(results.since).toBeGreaterThan(started)
    rmSync(join(folder, 'call_1.result.new'), { recursive: true })
    expect(new CallResults(folder).since).toBe(results.since)
  })

  test('that a crash left half written are none', () => {
    const { since } = new CallResults(folder)
    writeFileSync(join(folder, 'call_half.result.new'), '{"v":1')
    const later = new CallResults(folder)
    expect(later.since).toBe(since)
    expect(later.has('call_half')).toBe(false)
    expect(readdirSync(folder)).toEqual(['remembered-since'])
  })
})

test('a kept stream has the first and the last bytes, in whatever pieces they come', () => {
  const whole = Buffer.from(Array.from({ length: 5000 }, (_, index) => index % 251))
  for (const piece of [1, 7, 64, 5000]) {
    const kept = new KeptStream(100)
    for (let start = 0; start < whole.length; start += piece) kept.add(whole.subarray(start, start + piece))
    expect(kept.data).toEqual(Buffer.concat([whole.subarray(0, 50), whole.subarray(-50)]))
  }
  const short = new KeptStream(100)
  short.add(whole.subarray(0, 70))
  expect(short.data).toEqual(whole.subarray(0, 70))
})
