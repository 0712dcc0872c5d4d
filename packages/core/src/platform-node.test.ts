import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Client } from './client.ts'
import { configFilePath } from './platform-node.ts'

let folder = ''
let file = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmdop-config-'))
  file = configFilePath({ XDG_CONFIG_HOME: folder })
  await mkdir(dirname(file), { recursive: true })
  vi.stubEnv('XDG_CONFIG_HOME', folder)
  for (const name of ['BASE_URL', 'TOKEN', 'API_KEY', 'TIMEOUT_MS']) vi.stubEnv(`CMDOP_${name}`, '')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

const write = async (content: string, mode = 0o600) => {
  await writeFile(file, content)
  await chmod(file, mode)
}

describe('the config file', () => {
  test('lies in the folder of the system for it', () => {
    expect(file).toBe(join(folder, 'cmdop', 'config.json'))
    expect(configFilePath({})).toBe(join(homedir(), '.config', 'cmdop', 'config.json'))
    expect(configFilePath({ XDG_CONFIG_HOME: '' })).toBe(join(homedir(), '.config', 'cmdop', 'config.json'))
  })

  test('gives the address where nothing else does', async () => {
    await write('{ "base_url": "http://127.0.0.1:7", "token": "x" }')
    expect(Client.fromEnv().baseUrl).toBe('http://127.0.0.1:7')
  })

  test('that is not there is not missed, and the error says what to set', () => {
    expect(() => Client.fromEnv()).toThrow(expect.objectContaining({ code: 'config' }))
    expect(() => Client.fromEnv()).toThrow('CMDOP_BASE_URL')
  })

  test('that others may read is refused, and the error says what to run', async () => {
    for (const mode of [0o644, 0o640, 0o604, 0o660]) {
      await write('{ "base_url": "http://127.0.0.1:7" }', mode)
      expect(() => Client.fromEnv()).toThrow(`chmod 600 ${file}`)
    }
  })

  test('that is no JSON of ours is refused', async () => {
    for (const content of ['', '{', '[]', '{ "base_url": 7 }']) {
      await write(content)
      expect(() => Client.fromEnv()).toThrow(expect.objectContaining({ code: 'config' }))
    }
  })
})

test('a text is a key for the relay, and is not passed over for that of the environment', () => {
  vi.stubEnv('CMDOP_BASE_URL', 'http://127.0.0.1:8')
  vi.stubEnv('CMDOP_TOKEN', 'of the environment')
  expect(new Client('mine').token).toBe('mine')
})

test('`Client.remote` takes its key for the relay, and the address of the environment', () => {
  vi.stubEnv('CMDOP_BASE_URL', 'http://127.0.0.1:8')
  expect(Client.remote({ apiKey: 'x' }).baseUrl).toBe('http://127.0.0.1:8')
})
