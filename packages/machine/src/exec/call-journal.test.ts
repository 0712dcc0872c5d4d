import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CallJournal } from './call-journal.ts'

const record = { callId: 'call_one', principalId: 'prn_one', fleetId: 'flt_one', startedAt: '2030-01-01T00:00:00.000Z' }

let parent = ''
let folder = ''
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'cmdop-journal-'))
  folder = join(parent, 'calls')
})
afterEach(() => rmSync(parent, { recursive: true }))

describe('the journal of calls', () => {
  test('tells a later daemon which calls were not over', () => {
    const journal = new CallJournal(folder)
    journal.begin(record)
    journal.begin({ ...record, callId: 'call_two' })
    journal.end('call_two')
    journal.end('call_never_begun')
    expect(new CallJournal(folder).left()).toEqual([record])
    expect(statSync(join(folder, 'call_one.json')).mode & 0o777).toBe(0o600)
  })

  test('takes each call once', () => {
    const journal = new CallJournal(folder)
    journal.begin(record)
    expect(() => journal.begin(record)).toThrow('EEXIST')
  })

  test('names also a call whose record a crash left half written, which is nobody’s', () => {
    const journal = new CallJournal(folder)
    writeFileSync(join(folder, 'call_half.json'), '{"callId":"call_h')
    journal.begin(record)
    expect(journal.left()).toMatchObject([{ callId: 'call_half', principalId: '' }, record])
    journal.end('call_half')
    expect(readdirSync(folder)).toEqual(['call_one.json'])
  })
})
