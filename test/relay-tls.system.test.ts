import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCli, type RunningCli, startCli } from './processes/cli.ts'
import { waitFor } from './wait-for.ts'

let folder = ''
const running: RunningCli[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmdop-tls-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost']
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  await promisify(execFile)('openssl', [
    'req',
    '-x509',
    ...curve,
    '-keyout',
    key,
    '-out',
    cert,
    '-days',
    '2',
    ...subject,
  ])
})
afterAll(async () => {
  for (const { child } of running) child.kill('SIGTERM')
  await Promise.all(running.map(({ done }) => done))
  await rm(folder, { recursive: true })
})

/** Starts it and gives the JSON that it says first. */
async function start(argv: string[], env: Record<string, string>): Promise<Record<string, string>> {
  const started = startCli([...argv, '--json'], env)
  running.push(started)
  const parse = () => {
    try {
      return JSON.parse(started.stdout()) as Record<string, string>
    } catch {
      return undefined
    }
  }
  return waitFor(`${argv.join(' ')} is up: ${started.stderr()}`, parse, 20_000)
}

test('a relay with a certificate serves machines and clients that trust it, and nobody else', async () => {
  const cert = join(folder, 'cert.pem')
  const tls = ['--tls-cert', cert, '--tls-key', join(folder, 'key.pem')]
  const relay = await start(['relay', '--port', '0', '--data', join(folder, 'relay'), ...tls], {})
  expect(relay['url']).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
  const client = { CMDOP_BASE_URL: relay['url'] ?? '', CMDOP_TOKEN: relay['key'] ?? '', NODE_EXTRA_CA_CERTS: cert }
  const token = await runCli(['machine', 'token', '--json'], client)
  const enrolled = { CMDOP_ENROLL_TOKEN: JSON.parse(token.stdout).raw_token, NODE_EXTRA_CA_CERTS: cert }
  const machine = ['--data', join(folder, 'machine')]
  const enrol = ['machine', 'enroll', '--relay', relay['url'] ?? '', '--name', 'tls', ...machine]
  expect(await runCli(enrol, enrolled)).toMatchObject({ code: 0 })
  // The relay's key, which the machine takes permits of, is pinned with that.
  const state = JSON.parse(await readFile(join(folder, 'machine', 'machine.json'), 'utf8'))
  expect(state).toMatchObject({ relayId: relay['relay_id'], relayPublicKey: expect.stringContaining('PUBLIC KEY') })
  await start(['machine', 'run', ...machine], { NODE_EXTRA_CA_CERTS: cert })
  const result = await waitFor('the machine is there', async () => {
    const { code, stdout } = await runCli(['exec', 'tls', '--', 'echo', 'over tls'], client)
    return code === 0 && stdout
  })
  expect(result).toBe('over tls\n')
  expect(await runCli(['machine', 'rotate-key', ...machine], { NODE_EXTRA_CA_CERTS: cert })).toMatchObject({ code: 0 })

  const { NODE_EXTRA_CA_CERTS: _, ...stranger } = client
  const refused = await runCli(['machines'], stranger)
  expect(refused.code).not.toBe(0)
  expect(refused.stderr).toContain('cannot be reached')
}, 60_000)
