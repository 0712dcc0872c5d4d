import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Figure, type Measurement, notMeasured, type Row } from '../figure.ts'
import { missingPackages } from '../peers/programs.ts'
import { startProgram } from '../peers/run.ts'
import { freePort, type OpenSsh, startOpenSsh } from '../peers/sshd.ts'
import { Child } from '../processes/child.ts'
import { asRatio, distributionOf, inMilliseconds, medianOf, timed } from '../statistics.ts'
import { startWorld } from '../world.ts'

const BYTES = 256 * 1024 * 1024
const ROUNDS = 7
const WARM_UP_ROUNDS = 2
const SETUPS_PER_ROUND = 40
/** As a browser or a pool of connections makes them; a busy loop would measure how many there are in a second. */
const BETWEEN_SETUPS_MS = 20
const LISTENS_WITHIN_MS = 15_000
const PEERS = ['ssh', 'ssh-keygen', 'sshd'] as const

type Way = 'ours' | 'jumped' | 'direct'
type What = 'down' | 'up' | 'setup'
type Times = Record<What, Record<Way, number[]>> & {
  /** Connections through {@link startBareChain}. */
  readonly floor: number[]
}

/** Bytes and connections through a TCP tunnel. */
export const tunnelsFigure: Figure = {
  id: 'tunnels',
  title: 'A TCP tunnel',
  async measure(progress) {
    await using opened = new AsyncDisposableStack()
    const world = opened.use(await startWorld())
    const target = await Child.start({ entry: 'tunnel-target-process.ts', arguments: [String(BYTES)] })
    opened.use(target.child)
    const port = Number(target.ready['port'])
    const { baseUrl, token = '' } = world.client
    const listener = await Child.start({
      entry: 'tunnel-listener-process.ts',
      arguments: [baseUrl, token, world.machine.id, String(port)],
    })
    opened.use(listener.child)
    const missing = missingPackages(PEERS)
    const ssh = missing.length > 0 ? undefined : opened.use(await startOpenSsh())
    const ports: Partial<Record<Way, number>> = { ours: Number(listener.ready['port']) }
    if (ssh !== undefined)
      for (const way of ['jumped', 'direct'] as const) ports[way] = await forward(opened, ssh, way, port)
    const floor = await startBareChain(opened, port)
    return report(await measureRounds(ports, floor, progress), missing)
  },
}

/** Listener, relay and machine of bare sockets, and the port of the first: what connections take in Node at the least. */
async function startBareChain(opened: AsyncDisposableStack, target: number): Promise<number> {
  const start = async (...args: string[]) => {
    const { child, ready } = await Child.start({ entry: 'bare-chain-process.ts', arguments: args })
    opened.use(child)
    return Number(ready['port'])
  }
  const relay = String(await start('relay'))
  await start('machine', relay, String(target))
  return start('listener', relay)
}

/** Starts `ssh -L`, and gives the port it listens on once it does. */
async function forward(
  opened: AsyncDisposableStack,
  ssh: OpenSsh,
  way: 'jumped' | 'direct',
  port: number,
): Promise<number> {
  const localPort = await freePort()
  opened.use(startProgram(ssh.ssh, ssh.forward(way, localPort, port)))
  for (const end = Date.now() + LISTENS_WITHIN_MS; ;) {
    try {
      await setUp(localPort)
      return localPort
    } catch (cause) {
      if (Date.now() > end) throw new Error('ssh -L does not listen.', { cause })
      await sleep(50)
    }
  }
}

async function measureRounds(
  ports: Partial<Record<Way, number>>,
  floor: number,
  progress: (message: string) => void,
): Promise<Times> {
  const none = () => ({ ours: [], jumped: [], direct: [] })
  const times: Times = { down: none(), up: none(), setup: none(), floor: [] }
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
    progress(round < 0 ? 'warming up' : `round ${round} of ${ROUNDS}`)
    for (const [way, port] of Object.entries(ports) as [Way, number][]) {
      const down = await timed(() => download(port))
      const up = await timed(() => upload(port))
      const setups = await measureSetups(port)
      if (round < 0) continue
      times.down[way].push(down)
      times.up[way].push(up)
      times.setup[way].push(...setups)
    }
    const setups = await measureSetups(floor)
    if (round >= 0) times.floor.push(...setups)
  }
  return times
}

async function measureSetups(port: number): Promise<number[]> {
  const setups: number[] = []
  for (let count = 0; count < SETUPS_PER_ROUND; count += 1) {
    setups.push(await timed(() => setUp(port)))
    await sleep(BETWEEN_SETUPS_MS)
  }
  return setups
}

async function dial(port: number, first: string): Promise<Socket> {
  const socket = connect({
    port,
    host: '127.0.0.1',
    allowHalfOpen: true,
    noDelay: true,
    highWaterMark: 1024 * 1024,
  } as never)
  await once(socket, 'connect')
  socket.write(first)
  return socket
}

/** From the call to the first byte that the target has sent back. */
async function setUp(port: number): Promise<void> {
  const socket = await dial(port, 'e')
  const [data] = (await Promise.race([
    once(socket, 'data'),
    once(socket, 'end').then(() => Promise.reject(new Error('The connection was ended.'))),
  ])) as [Buffer]
  if (data.toString() !== 'e') throw new Error('Expected the byte that was sent.')
  socket.destroy()
}

async function download(port: number): Promise<void> {
  const socket = await dial(port, 'd')
  let bytes = 0
  socket.on('data', (data) => (bytes += data.length))
  await once(socket, 'end')
  socket.end()
  if (bytes !== BYTES) throw new Error(`Expected ${BYTES} bytes, got ${bytes}.`)
}

async function upload(port: number): Promise<void> {
  const socket = await dial(port, 'u')
  const block = Buffer.alloc(256 * 1024)
  let answer = ''
  socket.on('data', (data) => (answer += String(data)))
  const ended = once(socket, 'end')
  for (let left = BYTES; left > 0; left -= block.length) if (!socket.write(block)) await once(socket, 'drain')
  socket.end()
  await ended
  if (answer !== String(BYTES)) throw new Error(`Expected ${BYTES} bytes to arrive, got ${answer}.`)
}

function report({ down, up, setup, floor }: Times, missing: readonly string[]): Measurement {
  return {
    rows: [
      throughput('256 MB from the machine', 'ssh -J -L', down.ours, down.jumped, 'not slower'),
      throughput('256 MB to the machine', 'ssh -J -L', up.ours, up.jumped, 'not slower'),
      throughput('256 MB from the machine', 'ssh -L', down.ours, down.direct, ''),
      throughput('256 MB to the machine', 'ssh -L', up.ours, up.direct, ''),
      connection('a connection, p50', 'ssh -J -L', setup.ours, setup.jumped, ''),
      connection('a connection, p50', 'ssh -L', setup.ours, setup.direct, 'not slower'),
      compare('a connection, p50, against bare sockets of Node', {
        ours: setup.ours,
        theirs: floor,
        peer: 'floor',
        bound: '',
        format: inMilliseconds,
      }),
    ],
    missing,
    notes: [
      `Medians of ${ROUNDS} alternating rounds, after ${WARM_UP_ROUNDS} to warm up; target, machine, relay, listener and this client are processes of their own.`,
      'ours: `client.tunnels.listen({ machineId, port })`, which is what `cmdop tunnel` runs: machine, relay and listener, two hops.',
      'ssh -J -L: one jump host, two sshd on loopback. ssh -L: one hop.',
      `A connection: from connecting to the local port to the first byte back from the target; ${ROUNDS * SETUPS_PER_ROUND} of each, ${BETWEEN_SETUPS_MS} ms apart. Ours are authorised, signed and written to the audit log before the machine connects, each; for those that follow others closely that is done ahead, and the first of a series takes some milliseconds more.`,
      'floor: three processes of Node that carry the byte of a connection as a listener, a relay and a machine would, by plain sockets, with no frame, no WebSocket and nobody asked: about the least that this way takes in Node.',
      'ssh encrypts; on loopback the relay does not.',
    ],
  }
}

function throughput(
  what: string,
  peer: string,
  ours: readonly number[],
  theirs: readonly number[],
  bound: string,
): Row {
  const speed = (milliseconds: number) => `${(BYTES / 1000 / milliseconds).toFixed(0)} MB/s`
  return compare(`${what}, against ${peer}`, { ours, theirs, peer: 'ssh', bound, format: speed })
}

function connection(
  what: string,
  peer: string,
  ours: readonly number[],
  theirs: readonly number[],
  bound: string,
): Row {
  return compare(`${what}, against ${peer}`, { ours, theirs, peer: 'ssh', bound, format: inMilliseconds })
}

interface Compared {
  readonly ours: readonly number[]
  readonly theirs: readonly number[]
  readonly peer: string
  readonly bound: string
  readonly format: (milliseconds: number) => string
}

function compare(what: string, { ours, theirs, peer: name, bound, format }: Compared): Row {
  if (theirs.length === 0) return notMeasured(what, bound, 'OpenSSH is missing')
  const [mine, peer] = [medianOf(ours), distributionOf(theirs).p50]
  return {
    what,
    ours: format(mine),
    peer: `${name}: ${format(peer)}`,
    ratio: asRatio(peer / mine),
    bound,
    met: bound === '' ? undefined : mine <= peer,
  }
}
