import { describe, expect, test } from 'vitest'
import { MAX_WINDOW, MIN_WINDOW } from '../channel/limits.ts'
import { isCmdopError } from '../errors.ts'
import { parseOpen } from './open.ts'

const open = { method: 'facts', target: 'mac_1', params: {}, callId: 'call_0001', window: MIN_WINDOW }

function parse(content: unknown): ReturnType<typeof parseOpen> {
  return parseOpen(new TextEncoder().encode(typeof content === 'string' ? content : JSON.stringify(content)))
}

describe('an open frame', () => {
  test('is read as it was written', () => {
    const full = {
      ...open,
      window: MAX_WINDOW,
      deadlineMs: 1,
      traceparent: '00-1',
      permit: { body: '{}', signature: 'x' },
    }
    expect(parse(full)).toEqual(full)
  })

  test.each([
    { ...open, callId: '../../etc' },
    { ...open, callId: 'short' },
    { ...open, window: MIN_WINDOW - 1 },
    { ...open, window: MAX_WINDOW + 1 },
    { ...open, deadlineMs: 0 },
    { ...open, deadlineMs: 2 ** 31 },
    { ...open, params: [] },
    { ...open, added: 1 },
    [],
    'null',
  ])('is refused with `validation` when it is not valid: %j', (content) => {
    expect(parse(content)).toMatchObject({
      code: 'validation',
      message: expect.stringContaining('The open frame is not valid'),
    })
  })

  test('is refused with `protocol` when it is no JSON', () => {
    expect(parse('{')).toMatchObject({ code: 'protocol' })
  })

  test('cannot hide parameters in a prototype, where no digest would cover them', () => {
    const parsed = parse(
      `{"method":"exec","target":"m","callId":"call_0001","window":${MIN_WINDOW},"params":{"__proto__":{"command":"id"}}}`,
    )
    if (isCmdopError(parsed)) throw parsed
    expect('command' in parsed.params).toBe(false)
  })
})
