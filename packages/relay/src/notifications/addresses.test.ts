import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { createLookup, isAllowed, ruleFor } from './addresses.ts'

const anywhere = { loopbackOnly: false }

describe('an address that notifications go to', () => {
  test.each([
    '169.254.169.254',
    '169.254.170.2',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '64:ff9b::a9fe:a9fe',
    'fe80::1',
    'fd00:ec2::254',
    'fd20:ce::254',
    '100.100.100.200',
    '192.0.0.192',
    '0.0.0.0',
    '::',
    '224.0.0.1',
    '255.255.255.255',
    'ff02::1',
    'not an address',
  ])('is never %s', (address) => {
    expect(isAllowed(address, anywhere)).toBe(false)
  })

  test.each(['93.184.216.34', '10.0.0.7', '192.168.1.2', '127.0.0.1', '2606:2800:220:1::1', 'fd12:3456::1'])(
    'may be %s',
    (address) => {
      expect(isAllowed(address, anywhere)).toBe(true)
    },
  )

  test('is loopback over http', () => {
    for (const url of ['http://127.0.0.1:9000/x', 'http://localhost/x', 'http://[::1]:9000/', 'http://2130706433/'])
      expect(ruleFor(new URL(url), false)).toEqual({ loopbackOnly: true })
    expect(ruleFor(new URL('https://hooks.example/x'), false)).toEqual(anywhere)
    expect(ruleFor(new URL('http://hooks.example/x'), true)).toEqual(anywhere)
    expect(isAllowed('10.0.0.7', { loopbackOnly: true })).toBe(false)
  })

  test.each([
    'http://hooks.example/x',
    'http://localhost.evil.example/',
    'https://169.254.169.254/latest',
    'https://[fd00:ec2::254]/',
    'https://[::ffff:169.254.169.254]/',
    'https://2852039166/',
    'https://0xa9fea9fe/',
    'https://0/',
    'https://user:password@hooks.example/',
  ])('is refused at once: %s', (url) => {
    expect(() => ruleFor(new URL(url), false)).toThrow(expect.objectContaining({ code: 'validation' }))
  })

  test('is one that its name resolves to, and not another', async () => {
    const find = promisify(createLookup({ loopbackOnly: true }))
    expect(await find('localhost', {})).toMatch(/^(127\.|::1)/)
    const nowhere = createLookup(anywhere)
    await expect(promisify(nowhere)('169.254.169.254', {})).rejects.toMatchObject({ code: 'validation' })
    await expect(promisify(createLookup({ loopbackOnly: true }))('10.0.0.7', {})).rejects.toMatchObject({
      code: 'validation',
    })
  })
})
