import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { closeSync, constants, lstatSync, mkdirSync, openSync, readSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { MOUNTED_SOCKET, MOUNTED_SOCKET_LOG } from './tools.ts'

/** Services outside of every sandbox, of the same user, that would do what they are told. */
export interface Bait extends AsyncDisposable {
  readonly folder: string
  readonly dropFolder: string
  readonly env: Readonly<Record<string, string>>
  /** True when one was reached since the last call. */
  wasReached(): Promise<boolean>
}

/** Starts them: a Unix socket, an abstract one, TCP, UDP, datagrams, a FIFO, a directory of jobs. */
export async function startBait(folder: string): Promise<Bait> {
  mkdirSync(folder, { recursive: true })
  const dropFolder = join(folder, 'drop')
  mkdirSync(dropFolder)
  let reached = 0
  let logged = logSize()
  const count = () => (reached += 1)
  const abstract = `cmdop-bait-${process.pid}`
  const listen = async (at: string | { port: number; host: string }) => {
    const server = createServer((socket) => socket.on('data', count).on('error', () => {}))
    server.listen(at as never)
    await once(server, 'listening')
    return server
  }
  const tcp = await listen({ port: 0, host: '::' })
  const servers = [tcp, await listen(join(folder, 'service')), await listen(`\0${abstract}`)]
  const udp = createSocket('udp4', count)
  udp.bind(0, '127.0.0.1')
  await once(udp, 'listening')
  const datagrams = startDatagrams(join(folder, 'datagrams'), count)
  await datagrams.ready
  const pipe = await openPipe(join(folder, 'pipe'))
  const { port } = tcp.address() as { port: number }
  return {
    folder,
    dropFolder,
    env: {
      B: folder,
      D: dropFolder,
      ABSTRACT: abstract,
      PORT: String(port),
      UDP: String(udp.address().port),
      MOUNTED: MOUNTED_SOCKET,
    },
    wasReached: async () => {
      // What was sent is on its way in this machine: two turns of the loop take it in.
      for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setTimeout(resolve, 5))
      const isReached = reached > 0 || hasData(pipe) || logSize() > logged
      reached = 0
      logged = logSize()
      return isReached
    },
    [Symbol.asyncDispose]: async () => {
      for (const server of servers) server.close()
      udp.close()
      datagrams.child.kill()
      closeSync(pipe)
    },
  }
}

function logSize(): number {
  return lstatSync(MOUNTED_SOCKET_LOG, { throwIfNoEntry: false })?.size ?? 0
}

/** Node has no Unix datagrams. */
function startDatagrams(path: string, onData: () => void): { child: ChildProcess; ready: Promise<unknown> } {
  const script = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print('up', flush=True)
while True: s.recv(100); print('hit', flush=True)`
  const child = spawn('/usr/bin/python3', ['-c', script, path], { stdio: ['ignore', 'pipe', 'ignore'] })
  child.once('error', () => {})
  const ready = Promise.race([once(child.stdout, 'data'), once(child, 'exit')]).catch(() => {})
  void ready.then(() => child.stdout.on('data', (data: Buffer) => data.includes('hit') && onData()))
  return { child, ready }
}

async function openPipe(path: string): Promise<number> {
  await once(spawn('mkfifo', [path], { stdio: 'ignore' }), 'exit')
  return openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
}

function hasData(pipe: number): boolean {
  try {
    return readSync(pipe, Buffer.alloc(100)) > 0
  } catch {
    return false
  }
}
