import { execFile, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { waitFor } from './wait-for.ts'

const run = promisify(execFile)

/** Where Debian's package `postgresql` puts each version. */
const VERSIONS = '/usr/lib/postgresql'

/** The newest version that is installed; undefined without one. */
export const postgresPrograms = existsSync(VERSIONS)
  ? readdirSync(VERSIONS)
      .toSorted((one, other) => Number(other) - Number(one))
      .map((version) => join(VERSIONS, version, 'bin'))
      .find((folder) => existsSync(join(folder, 'initdb')))
  : undefined

/** A PostgreSQL server of a test, which asks for a password. */
export interface Postgres extends AsyncDisposable {
  readonly port: number
  /** What one statement gives, through this port of loopback. */
  query(port: number, statement: string): Promise<string>
  /** SHA-256 in hex of all that psql writes for a `copy ... to stdout`. Each part is waited with while `got` looks at what has come so far. */
  hashOfCopy(port: number, statement: string, got?: (bytes: number) => Promise<void>): Promise<string>
}

/** Starts one in a new folder. It never runs as root: then it runs as the user that the package has made. */
export async function startPostgres(): Promise<Postgres> {
  const programs = postgresPrograms ?? ''
  const folder = await mkdtemp(join(tmpdir(), 'cmdop-pg-'))
  const user = process.getuid?.() === 0 ? systemUser('postgres') : undefined
  const as = { ...(user && { uid: user.uid, gid: user.gid }), cwd: '/' }
  if (user !== undefined) execFileSync('chown', [`${user.uid}:${user.gid}`, folder])
  await chmod(folder, 0o700)
  const data = join(folder, 'data')
  const port = await freePort()
  await run(join(programs, 'initdb'), ['-D', data, '-U', 'tester', '-A', 'trust', '-N', '--locale=C', '-E', 'UTF8'], as)
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`, 'fsync=off']
  const server = spawn(join(programs, 'postgres'), ['-D', data, ...settings.flatMap((setting) => ['-c', setting])], {
    ...as,
    stdio: 'ignore',
  })
  const ended = once(server, 'exit')
  const psql = join(programs, 'psql')
  const env = { PGCONNECT_TIMEOUT: '10' }
  const asking = (through: number, statement: string) => {
    const place = ['-h', '127.0.0.1', '-p', String(through), '-U', 'tester', '-d', 'postgres']
    return ['-X', '-q', '-A', '-t', ...place, '-c', statement]
  }
  const query = async (through: number, statement: string) => {
    const { stdout } = await run(psql, asking(through, statement), { maxBuffer: 64 * 1024 * 1024, env })
    return stdout.trimEnd()
  }
  const hashOfCopy: Postgres['hashOfCopy'] = async (through, statement, got = async () => {}) => {
    const child = spawn(psql, asking(through, statement), { stdio: ['ignore', 'pipe', 'inherit'], env })
    const exited = once(child, 'exit')
    const hash = createHash('sha256')
    let bytes = 0
    for await (const part of child.stdout) {
      hash.update(part as Buffer)
      bytes += (part as Buffer).length
      await got(bytes)
    }
    const [code] = (await exited) as [number | null]
    if (code !== 0) throw new Error(`psql ended with ${code}.`)
    return hash.digest('hex')
  }
  await waitFor('the server answers', () => query(port, 'select 1').catch(() => undefined), 30_000)
  return {
    port,
    query,
    hashOfCopy,
    [Symbol.asyncDispose]: async () => {
      server.kill('SIGINT')
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function systemUser(name: string): { uid: number; gid: number } {
  const idOf = (flag: string) => Number(execFileSync('id', [flag, name]).toString())
  return { uid: idOf('-u'), gid: idOf('-g') }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
