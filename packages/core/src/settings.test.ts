import { describe, expect, test } from 'vitest'
import type { SettingsSource } from './platform.ts'
import { type ClientOptions, DEFAULT_TIMEOUT_MS, requireToken, resolveSettings } from './settings.ts'

const from = (
  environment: Record<string, string>,
  file: ReturnType<SettingsSource['configFile']> = {},
): SettingsSource => ({
  environment,
  configFile: () => file,
})
const none = from({})
const url = 'http://relay.example'

describe('a setting', () => {
  test('is taken from the argument, then from its variable, then from the config file', () => {
    const file = { baseUrl: 'http://file.example', token: 'of the file' }
    const environment = { CMDOP_BASE_URL: 'http://variable.example', CMDOP_TOKEN: 'of the variable' }
    const given = { baseUrl: 'http://argument.example', token: 'of the argument' }
    expect(resolveSettings(given, from(environment, file))).toMatchObject(given)
    expect(resolveSettings({}, from(environment, file))).toMatchObject({
      baseUrl: 'http://variable.example',
      token: 'of the variable',
    })
    expect(resolveSettings({}, from({}, file))).toMatchObject(file)
  })

  test('that is an empty variable is none', () => {
    expect(resolveSettings({ baseUrl: url }, from({ CMDOP_TOKEN: '', CMDOP_TIMEOUT_MS: '' }))).toMatchObject({
      token: undefined,
      timeoutMs: DEFAULT_TIMEOUT_MS,
      waitForApproval: false,
    })
  })

  test('has the variables and defaults of the reference', () => {
    const environment = {
      CMDOP_BASE_URL: url,
      CMDOP_TOKEN: 'token',
      CMDOP_API_KEY: 'key',
      CMDOP_API_BASE_URL: 'https://platform.example/',
      CMDOP_FLEET_ID: 'flt_one',
      CMDOP_TIMEOUT_MS: '1500',
    }
    expect(resolveSettings({}, from(environment))).toEqual({
      baseUrl: url,
      token: 'token',
      apiKey: 'key',
      apiBaseUrl: 'https://platform.example',
      fleetId: 'flt_one',
      timeoutMs: 1500,
      retries: 2,
      waitForApproval: false,
    })
    expect(resolveSettings({ baseUrl: url }, none)).toMatchObject({ apiBaseUrl: url, timeoutMs: 30_000 })
  })

  test('that is complete leaves the config file alone', () => {
    const source: SettingsSource = {
      environment: {},
      configFile: () => {
        throw new Error('It was read.')
      },
    }
    expect(resolveSettings({ baseUrl: url, token: 'x' }, source)).toMatchObject({ baseUrl: url })
  })
})

describe('the key for the relay', () => {
  test('is never the one for the platform', () => {
    const settings = resolveSettings({ apiKey: 'platform' }, from({ CMDOP_BASE_URL: url, CMDOP_API_KEY: 'platform' }))
    expect(settings.token).toBeUndefined()
    expect(() => requireToken(settings)).toThrow(expect.objectContaining({ code: 'config' }))
    expect(() => requireToken(settings)).toThrow('CMDOP_TOKEN')
  })

  test('of the config file goes to the address of the config file only', () => {
    const file = { baseUrl: 'http://relay.example/', token: 'of the file' }
    expect(resolveSettings({ baseUrl: url }, from({}, file)).token).toBe('of the file')
    expect(resolveSettings({ baseUrl: 'http://relay.example:80' }, from({}, file)).token).toBe('of the file')
    for (const other of [
      'http://other.example',
      'https://relay.example',
      'http://relay.example:81',
      'http://relay.example/x',
    ]) {
      expect(resolveSettings({ baseUrl: other }, from({}, file)).token).toBeUndefined()
    }
    expect(resolveSettings({ baseUrl: url }, from({}, { token: 'of no address' })).token).toBeUndefined()
  })
})

describe('a wrong setting', () => {
  test('is an error that names it', () => {
    expect(() => resolveSettings({}, none)).toThrow('CMDOP_BASE_URL')
    const urls = [
      '',
      'relay',
      'relay.example:7420',
      'ftp://relay.example',
      'http://user:secret@relay.example',
      'http://r/?a=b',
    ]
    for (const baseUrl of urls) {
      const resolve = () => resolveSettings({ baseUrl }, none)
      expect(resolve).toThrow(expect.objectContaining({ code: 'config' }))
      expect(resolve).toThrow('CMDOP_BASE_URL')
    }
    expect(() => resolveSettings({ baseUrl: url, apiBaseUrl: 'x' }, none)).toThrow('CMDOP_API_BASE_URL')
  })

  test('of time is an error that says what it should be', () => {
    for (const timeoutMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]) {
      expect(() => resolveSettings({ baseUrl: url, timeoutMs }, none)).toThrow('CMDOP_TIMEOUT_MS')
    }
    expect(() => resolveSettings({ baseUrl: url }, from({ CMDOP_TIMEOUT_MS: 'soon' }))).toThrow('"soon"')
  })

  test('with a password in it does not print that', () => {
    const baseUrl = 'http://user:hunter2@relay.example'
    expect(() => resolveSettings({ baseUrl }, none)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('hunter2') }),
    )
  })
})

test('an address loses the slash at its end, and keeps its path', () => {
  const root = (baseUrl: string) => resolveSettings({ baseUrl } satisfies ClientOptions, none).baseUrl
  expect(root('https://relay.example/')).toBe('https://relay.example')
  expect(root('https://relay.example/cmdop//')).toBe('https://relay.example/cmdop')
  expect(root('HTTP://Relay.Example:80')).toBe('http://relay.example')
})
