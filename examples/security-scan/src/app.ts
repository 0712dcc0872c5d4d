import { once } from 'node:events'
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import type { seeded } from '@cmdop/example-local-system'

export const weaknessNames = [
  'writable-script',
  'open-secret',
  'setuid-program',
  'open-port',
  'outdated-package',
] as const
export type WeaknessName = (typeof weaknessNames)[number]

/** An app as it is installed, with some weaknesses. */
export interface App extends AsyncDisposable {
  readonly folder: string
  readonly port: number
  /** What really is wrong, read from the machine: modes of files, a port that answers from elsewhere, a version. */
  truth(): Promise<{ files: string[]; ports: number[]; packages: string[] }>
}

/** The oldest version of the app's package that is good. */
export const minimumVersions = { 'date-words': '2.4.1' }

/** Installs it. Which file, mode and version a weakness has depends on the seed. */
export async function installApp(
  folder: string,
  weaknesses: readonly WeaknessName[],
  seed: ReturnType<typeof seeded>,
): Promise<App> {
  const has = (name: WeaknessName) => weaknesses.includes(name)
  const files: [string, number][] = [
    ['bin/run', has('writable-script') ? seed.of([0o777, 0o757, 0o766]) : 0o755],
    ['bin/helper', has('setuid-program') ? seed.of([0o4755, 0o6755, 0o2755]) : 0o755],
    [
      seed.of(['config/app.env', 'config/tls.key', 'config/signing.pem']),
      has('open-secret') ? seed.of([0o644, 0o640, 0o604]) : 0o600,
    ],
    ['config/app.json', 0o644],
  ]
  for (const name of ['bin', 'config', 'node_modules/date-words']) await mkdir(join(folder, name), { recursive: true })
  for (const [name, mode] of files) {
    await writeFile(join(folder, name), 'not a real one\n')
    await chmod(join(folder, name), mode)
  }
  const version = has('outdated-package')
    ? seed.of(['2.4.0', '1.9.9', '2.3.12'])
    : seed.of(['2.4.1', '2.10.0', '3.0.0'])
  await writeFile(
    join(folder, 'node_modules', 'date-words', 'package.json'),
    `{\n  "name": "date-words",\n  "version": "${version}"\n}\n`,
  )
  const server = createServer((socket) => socket.end())
  await once(server.listen(0, has('open-port') ? '0.0.0.0' : '127.0.0.1'), 'listening')
  const { port } = server.address() as { port: number }
  return { folder, port, truth: () => readTruth(folder, port), [Symbol.asyncDispose]: () => closed(server) }
}

async function readTruth(folder: string, port: number): ReturnType<App['truth']> {
  const files: string[] = []
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const { mode } = await stat(path)
    const isSecret = /\.(env|key|pem)$/.test(path)
    if (entry.isFile() && ((mode & 0o6002) !== 0 || (isSecret && (mode & 0o077) !== 0))) files.push(path)
  }
  const { version } = JSON.parse(
    await readFile(join(folder, 'node_modules', 'date-words', 'package.json'), 'utf8'),
  ) as { version: string }
  const isOld = version.localeCompare(minimumVersions['date-words'], 'en', { numeric: true }) < 0
  return {
    files: files.toSorted(),
    ports: (await answersElsewhere(port)) ? [port] : [],
    packages: isOld ? ['date-words'] : [],
  }
}

/** What listens on one address only does not answer on another one of the loopback network. */
async function answersElsewhere(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.2', port, timeout: 1000 })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

async function closed(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve))
}
