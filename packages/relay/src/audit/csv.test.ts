import { expect, test } from 'vitest'
import { auditRow } from '../store/conformance/world.ts'
import { csvHeader, csvLine } from './csv.ts'

test('every field of a row has its column', () => {
  const { fleetId: _, ...row } = auditRow('flt_one')
  const names = csvHeader.trimEnd().split(',')
  expect(names.toSorted()).toEqual([...Object.keys(row), 'chain', 'sequence'].toSorted())
})

test.each(['=1+1', '+1', '-1', '@x', '\tx', '|x', '%x'])('the cell %j is text for a spreadsheet', (principalName) => {
  const line = csvLine(auditRow('flt_one', { principalName }), { chain: 'main', sequence: 1 })
  expect(line).toContain(`,"'${principalName}",`)
})

test('quotes and line breaks stay in their cell', () => {
  const line = csvLine(auditRow('flt_one', { principalName: 'a "b"\r\nc,d' }), { chain: 'main', sequence: 1 })
  expect(line).toContain(`,"a ""b""\r\nc,d",`)
})
