/** The tests that a release brings along; they try the service that runs in the folder that is the argument. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const [, , folder = ''] = process.argv
const read = (...path: string[]): unknown => JSON.parse(readFileSync(join(...path), 'utf8'))
const { version } = read(import.meta.dirname, 'release.json') as { version: string }
const { port } = read(folder, 'config.json') as { port: number }

const ask = async (path: string): Promise<unknown> =>
  (await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(10_000) })).json()
const tests = {
  'it runs in the version that was deployed': async () =>
    ((await ask('/')) as { version: unknown }).version === version,
  'it adds the tax': async () => ((await ask('/price?net=100')) as { gross: unknown }).gross === 119,
  'nothing costs nothing': async () => ((await ask('/price?net=0')) as { gross: unknown }).gross === 0,
}

let failed = 0
for (const [name, passes] of Object.entries(tests)) {
  const ok = await passes().catch(() => false)
  if (!ok) failed += 1
  process.stdout.write(`${ok ? 'ok' : 'not ok'} ${name}\n`)
}
process.stdout.write(`${Object.keys(tests).length - failed} passed, ${failed} failed\n`)
process.exitCode = failed === 0 ? 0 : 1
