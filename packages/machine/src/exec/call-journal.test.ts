import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { recordingIdOf } from '@cmdop/protocol'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CallJournal } from './call-journal.ts'

const record = { callId: 'call_one', principalId: 'prn_one', fleetId: 'flt_one', startedAt: '2030-01-01T00:00:00.000Z' }

const third = { ...record, callId: 'call_three', keepResult: true }

const subject = {
  recordingId: recordingIdOf('aud_00000000000000000001'),
  machineId: 'mch_one',
  fleetId: 'flt_one',
  principalId: 'prn_one',
  principalKind: 'service' as const,
  principalName: 'one',
  onBehalfOf: null,
  intentId: 'aud_00000000000000000001',
  kind: 'exec' as const,
  subjectId: 'call_three',
  title: 'true',
  reason: null,
  startedAt: '2030-01-01T00:00:00.000Z',
}

let parent = ''
let folder = ''
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'cmdop-journal-'))
  folder = join(parent, 'calls')
})
afterEach(() => rmSync(parent, { recursive: true }))

const file = () => join(folder, 'journal.jsonl')

describe('the journal of calls', () => {
  test('tells a later daemon which calls were not over', () => {
    using journal = new CallJournal(folder)
    journal.begin(record)
    journal.begin({ ...record, callId: 'call_two' })
    journal.begin(third)
    journal.forget('call_two')
    journal.forget('call_never_begun')
    using later = new CallJournal(folder)
    expect(later.left()).toEqual([record, third])
    expect(statSync(file()).mode & 0o777).toBe(0o600)
  })

  test('may not know everything after a crash of the machine, and of the machine only', () => {
    const daemon = (boot: string) => new CallJournal(folder, { boot })
    expect(daemon('one').isWhole).toBe(true)
    // Killed, and started again.
    expect(daemon('one').isWhole).toBe(true)
    expect(daemon('two').isWhole).toBe(false)
    daemon('two')[Symbol.dispose]()
    expect(daemon('three').isWhole).toBe(true)
    // Where nothing tells one start of a machine from another.
    expect(daemon('').isWhole).toBe(false)
    expect(daemon('').isWhole).toBe(false)
  })

  test('leaves alone what ended', () => {
    using journal = new CallJournal(folder)
    journal.begin(third)
    journal.ended('call_three')
    journal.ended('call_three')
    using later = new CallJournal(folder)
    expect(later.left()).toEqual([{ ...third, hasEnded: true }])
  })

  test('does not have a recording written twice', () => {
    const recorded = { ...third, recording: subject }
    using journal = new CallJournal(folder)
    journal.begin(recorded)
    journal.begin({ ...recorded, callId: 'call_four' })
    journal.recorded('call_three')
    journal.recorded('call_never_begun')
    using later = new CallJournal(folder)
    expect(later.left()).toEqual([third, { ...recorded, callId: 'call_four' }])
    using last = new CallJournal(folder)
    expect(last.left()).toEqual(later.left())
  })

  test('is not whole where it is missing and was there', () => {
    expect(new CallJournal(folder, { isFirst: false }).isWhole).toBe(false)
  })

  test('says that it may not know everything before it takes the place of the one that does not', () => {
    const crashed: string[] = []
    const daemon = (boot: string, onCrash: () => void) => new CallJournal(folder, { boot, onCrash })
    daemon('one', () => crashed.push('one'))
    const before = readFileSync(file(), 'utf8')
    daemon('two', () => {
      expect(readFileSync(file(), 'utf8')).toBe(before)
      throw new Error('The disk is full.')
    })
    // It could not be said, so the next daemon does not know everything either.
    daemon('two', () => crashed.push('two'))
    daemon('two', () => crashed.push('three'))
    expect(crashed).toEqual(['two'])
  })

  test('goes on in the same file where no new one can be written', () => {
    using journal = new CallJournal(folder)
    journal.begin(record)
    mkdirSync(`${file()}.new`)
    for (let count = 0; count < 8000; count += 1) {
      journal.begin({ ...record, callId: `call_${count}` })
      journal.forget(`call_${count}`)
    }
    journal.begin(third)
    expect(statSync(file()).size).toBeGreaterThan(1024 * 1024)
    using later = new CallJournal(folder)
    expect(later.left()).toEqual([record, third])
    rmSync(`${file()}.new`, { recursive: true })
  })

  test('takes each call once', () => {
    using journal = new CallJournal(folder)
    journal.begin(record)
    expect(() => journal.begin(record)).toThrow('in the journal already')
  })

  test('knows nothing of a call whose line a crash left half written, and all of the others', () => {
    using journal = new CallJournal(folder)
    journal.begin(record)
    appendFileSync(file(), '\n{"begin":{"callId":"call_h')
    journal.begin(third)
    using later = new CallJournal(folder)
    expect(later.left()).toEqual([record, third])
  })

  test('does not grow with what is over', () => {
    using journal = new CallJournal(folder)
    journal.begin(record)
    for (let count = 0; count < 8000; count += 1) {
      journal.begin({ ...record, callId: `call_${count}` })
      journal.forget(`call_${count}`)
    }
    expect(statSync(file()).size).toBeLessThan(1.1 * 1024 * 1024)
    using later = new CallJournal(folder)
    expect(later.left()).toEqual([record])
    expect(statSync(file()).size).toBeLessThan(1000)
  })

  test('cannot be begun where what is there cannot be read', () => {
    mkdirSync(file(), { recursive: true })
    expect(() => new CallJournal(folder)).toThrow('EISDIR')
  })
})
