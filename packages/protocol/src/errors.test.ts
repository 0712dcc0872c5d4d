import { expect, test } from 'vitest'
import { type ErrorCode, errorCodes } from './error-codes.ts'
import { CmdopError, fromWireError, isCmdopError, isMissing, toCmdopError, toWireError, WireError } from './errors.ts'

const codes = Object.keys(errorCodes) as ErrorCode[]

test.each(codes)('An error %s says the same after the wire, for either kind of call', (code) => {
  for (const idempotent of [true, false]) {
    const error = new CmdopError(code, 'What to do.', { idempotent, details: { a: [1] }, requestId: 'req_1' })
    const wire = WireError.parse(JSON.parse(JSON.stringify(toWireError(error))))
    const arrived = fromWireError(wire, { idempotent: wire.retryable })
    expect(toWireError(arrived)).toEqual(toWireError(error))
    expect(arrived.status).toBe(errorCodes[code].status)
  }
})

test('An error keeps its cause here and never sends it', () => {
  const cause = new Error('A path that is nobody’s business.')
  const error = toCmdopError(cause, 'server', 'The file could not be read.')
  expect(error).toMatchObject({ code: 'server', message: 'The file could not be read.', cause })
  expect(JSON.stringify(toWireError(error))).not.toContain('nobody')
})

test('An error of ours stays as it is', () => {
  const error = new CmdopError('auth', 'No.')
  expect(toCmdopError(error, 'server', 'Another.')).toBe(error)
})

test('A code that we do not know becomes `server` and keeps its name', () => {
  const wire = { code: 'invented_later', message: 'New.', retryable: true, details: { a: 1 } }
  const error = fromWireError(wire, { idempotent: true })
  expect(error).toMatchObject({ code: 'server', retryable: true, details: { a: 1, code: 'invented_later' } })
})

test('An error of another copy of this package is recognised, and nothing else', () => {
  expect(isCmdopError(Object.defineProperty({}, Symbol.for('cmdop.error'), { value: true }))).toBe(true)
  for (const value of [new Error('x'), null, undefined, 'auth', {}]) expect(isCmdopError(value)).toBe(false)
})

test('A message that is too long for the wire is cut, so that the peer can read it', () => {
  const wire = toWireError(new CmdopError('server', 'x'.repeat(10_000), { requestId: 'y'.repeat(1000) }))
  expect(WireError.safeParse(wire).success).toBe(true)
})

test('What is missing is so by the word of a relay or machine, not of a proxy before it', () => {
  expect(isMissing(new CmdopError('not_found', 'It is not there.'))).toBe(true)
  expect(isMissing(new CmdopError('not_found', 'Some page is not.', { details: { proxy: true } }))).toBe(false)
  expect(isMissing(new CmdopError('server', 'It failed.'))).toBe(false)
  expect(isMissing(new Error('not_found'))).toBe(false)
})
