import { describe, expect, test } from 'vitest'
import { DEFAULT_PORT, parseRelayConfig } from './config.ts'

const base = { dataDir: '/data' }

describe('the settings of a relay', () => {
  test('bind loopback unless they say otherwise', () => {
    expect(parseRelayConfig(base)).toMatchObject({ host: '127.0.0.1', port: DEFAULT_PORT, insecurePublic: false })
  })

  test('let any address of loopback be', () => {
    for (const host of ['localhost', '127.0.0.1', '127.8.9.1', '::1'])
      expect(parseRelayConfig({ ...base, host })).toMatchObject({ host })
  })

  test('refuse another address without TLS, and say what to give', () => {
    for (const host of [
      '0.0.0.0',
      '::',
      '10.0.0.1',
      '127.0.0.1.example.org',
      'localhost.example.org',
      '::ffff:10.0.0.1',
      '',
    ]) {
      expect(() => parseRelayConfig({ ...base, host })).toThrow(/--tls-cert.*--insecure-public/)
    }
  })

  test('take another address with TLS, or when one says so', () => {
    const host = '0.0.0.0'
    expect(parseRelayConfig({ ...base, host, tls: { cert: 'c', key: 'k' } })).toMatchObject({ host })
    expect(parseRelayConfig({ ...base, host, insecurePublic: true })).toMatchObject({ host })
  })

  test('take the address that people use, without a path', () => {
    expect(parseRelayConfig({ ...base, publicUrl: 'https://ops.example/' }).publicUrl).toBe('https://ops.example')
    for (const publicUrl of ['https://ops.example/cmdop', 'ftp://ops.example', 'ops.example'])
      expect(() => parseRelayConfig({ ...base, publicUrl })).toThrow(expect.objectContaining({ code: 'config' }))
  })

  test('that are wrong are one `config` error that names each', () => {
    const wrong = { dataDir: '', port: 70_000, drainMs: -1, more: true }
    expect(() => parseRelayConfig(wrong)).toThrow(expect.objectContaining({ code: 'config' }))
    expect(() => parseRelayConfig(wrong)).toThrow(/dataDir[^]*|port[^]*|drainMs[^]*|more/)
  })
})
