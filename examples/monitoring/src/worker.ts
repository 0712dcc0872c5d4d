import { once } from 'node:events'
import { mkdir, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import type { seeded } from '@cmdop/example-local-system'
import type { AlertConfig } from './alert-config.ts'

export const faultNames = ['none', 'backlog', 'no-heartbeat', 'errors', 'full-disk', 'not-listening'] as const
export type FaultName = (typeof faultNames)[number]

type Metric = AlertConfig['metric']

/** What is too much; `listening` is too little. */
const thresholds = { queue_length: 20, heartbeat_age_seconds: 120, recent_errors: 10, data_kb: 512, listening: 1 }

/** A worker on a server: a queue, a heartbeat, a log, data and a port. */
export interface Worker extends AsyncDisposable {
  /** For the monitor. */
  readonly watched: object
  /** Breaks one thing, a bit or badly by the seed; gives the way back. */
  break(fault: FaultName, seed: ReturnType<typeof seeded>): Promise<() => Promise<void>>
  /** Reads the machine: the metrics that are beyond their thresholds. */
  truth(): Promise<Metric[]>
}

export async function startWorker(folder: string, hostname: string): Promise<Worker> {
  const at = (name: string) => join(folder, name)
  const log = (errors: number) =>
    writeFile(at('worker.log'), `${'info done\n'.repeat(20)}${' error cannot deliver\n'.repeat(errors)}`)
  const beat = (secondsAgo: number) => utimes(at('heartbeat'), new Date(), new Date(Date.now() - secondsAgo * 1000))
  for (const name of ['queue', 'data']) await mkdir(at(name), { recursive: true })
  for (const name of ['heartbeat', 'data/table']) await writeFile(at(name), '')
  await log(1)
  const server = createServer((socket) => socket.end())
  const listen = (port: number) => once(server.listen(port, '127.0.0.1'), 'listening')
  await listen(0)
  const { port } = server.address() as { port: number }
  const close = () => new Promise((resolve) => server.close(resolve))

  const faults: Record<FaultName, (seed: ReturnType<typeof seeded>) => Promise<() => Promise<unknown>>> = {
    none: async () => async () => {},
    backlog: async (seed) => {
      const jobs = Array.from({ length: seed.between(25, 60) }, (_, number) => at(`queue/${number}`))
      await Promise.all(jobs.map((job) => writeFile(job, '')))
      return () => Promise.all(jobs.map((job) => rm(job)))
    },
    'no-heartbeat': async (seed) => {
      await beat(seed.between(130, 1000))
      return () => beat(0)
    },
    errors: async (seed) => {
      await log(seed.between(12, 40))
      return () => log(0)
    },
    'full-disk': async (seed) => {
      await writeFile(at('data/table'), Buffer.alloc(seed.between(600, 2000) * 1024, 1))
      return () => truncate(at('data/table'), 0)
    },
    'not-listening': async () => {
      await close()
      return () => listen(port)
    },
  }
  return {
    watched: {
      hostname,
      queue: at('queue'),
      heartbeat: at('heartbeat'),
      log: at('worker.log'),
      data: at('data'),
      port,
      thresholds,
      severity: 'critical from twice the threshold on, and when nothing listens on the port; warning below',
    },
    break: async (fault, seed) => {
      const mend = await faults[fault](seed)
      return async () => void (await mend())
    },
    truth: async () => {
      const beyond: [Metric, boolean][] = [
        ['queue_length', (await readdir(at('queue'))).length > thresholds.queue_length],
        [
          'heartbeat_age_seconds',
          Date.now() - (await stat(at('heartbeat'))).mtimeMs > thresholds.heartbeat_age_seconds * 1000,
        ],
        [
          'recent_errors',
          (await readFile(at('worker.log'), 'utf8')).split(' error ').length - 1 > thresholds.recent_errors,
        ],
        ['data_kb', (await stat(at('data/table'))).size / 1024 > thresholds.data_kb],
        ['listening', !(await listens(port))],
      ]
      return beyond.flatMap(([metric, isBeyond]) => (isBeyond ? [metric] : []))
    },
    [Symbol.asyncDispose]: async () => void (server.listening && (await close())),
  }
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
