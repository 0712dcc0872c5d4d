import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, statfs } from 'node:fs/promises'
import { hostname } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { newMark, whenGone, withMark } from './marked.ts'
import { ownEnvironment } from './processes/environment.ts'

const example = fileURLToPath(new URL('../examples/start/src/main.ts', import.meta.url))

interface HealthDocument {
  readonly status: string
  readonly model: { readonly id: string }
  readonly output: {
    readonly hostname: string
    readonly memory_percent: number
    readonly disk_free_gb: number
    readonly services: string[]
  }
}

test('the health check of npm start gives the figures of this machine as one JSON document, and leaves nothing running', async () => {
  const mark = newMark()
  const env = { ...ownEnvironment(), MARK: mark }
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--conditions=@cmdop/source', example, '--json'],
    { env },
  )
  const { status, model, output } = JSON.parse(stdout) as HealthDocument
  expect(status).toBe('completed')
  expect(model.id).toBe('facts')
  expect(output.hostname).toBe(hostname())
  // 5 % of the machine's memory and disk, as other tests run beside this one.
  expect(Math.abs(output.memory_percent - (await memoryPercent()))).toBeLessThan(5)
  const disk = await statfs('/')
  const freeGb = (disk.bavail * disk.bsize) / 1e9
  expect(Math.abs(output.disk_free_gb - freeGb)).toBeLessThan(0.05 * freeGb)
  expect(output.services).toContain('node')
  expect(stderr).toMatch(/relay .*process[\s\S]*machine .*process[\s\S]*calls facts/)
  expect(await withMark(mark)).toEqual([])
})

test('^C while the health check starts ends everything that it had started, with exit code 130', async () => {
  const mark = newMark()
  const env = { ...ownEnvironment(), MARK: mark }
  const child = spawn(process.execPath, ['--conditions=@cmdop/source', example, '--json'], { env })
  let stdout = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  // Its first line: the relay is up, the machine is not yet.
  await once(child.stderr, 'data')
  child.kill('SIGINT')
  const [code] = (await once(child, 'close')) as [number]
  expect([code, JSON.parse(stdout)]).toMatchObject([130, { error: { code: 'cancelled' } }])
  await whenGone(mark)
})

async function memoryPercent(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8')
  const kilobytes = (name: string) => Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(text)?.[1])
  return (1 - kilobytes('MemAvailable') / kilobytes('MemTotal')) * 100
}
