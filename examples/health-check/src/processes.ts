import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const cli = join(dirname(createRequire(import.meta.url).resolve('cmdop/package.json')), 'src', 'main.ts')

/** A relay and a machine of our own, each a process, with a throw-away folder. */
export interface System extends AsyncDisposable {
  readonly url: string
  readonly key: string
  readonly machineId: string
}

/** Starts them as a person would, with the command line. */
export async function startSystem(say: (line: string) => void): Promise<System> {
  await using started = new AsyncDisposableStack()
  const data = await mkdtemp(join(tmpdir(), 'cmdop-health-check-'))
  started.defer(() => rm(data, { recursive: true, force: true }))

  const relay = await start(['relay', '--port', '0', '--data', join(data, 'relay'), '--log-level', 'warn'])
  started.defer(() => end(relay.process))
  const { url, key = '' } = relay.document
  say(`relay     process ${relay.process.pid}, ${url}`)

  const token = await run(['machine', 'token'], { CMDOP_BASE_URL: url, CMDOP_TOKEN: key })
  const folder = join(data, 'machine')
  const { machine_id } = await run([
    'machine',
    'enroll',
    '--relay',
    url ?? '',
    '--token',
    token['raw_token'] ?? '',
    '--data',
    folder,
  ])
  const machine = await start(['machine', 'run', '--data', folder, '--log-level', 'warn'])
  started.defer(() => end(machine.process))
  say(`machine   process ${machine.process.pid}, dialled out to the relay as ${machine.document['name']}`)

  const running = started.move()
  return { url: url ?? '', key, machineId: machine_id ?? '', [Symbol.asyncDispose]: () => running.disposeAsync() }
}

type Document = Record<string, string | undefined>

/** Starts a command that stays, and waits for the JSON document that says it is ready. */
async function start(argv: string[]): Promise<{ process: ChildProcess; document: Document }> {
  const child = cmdop(argv, {})
  return { process: child, document: await readDocument(child, argv) }
}

/** Runs a command to its end. */
async function run(argv: string[], environment: Record<string, string | undefined> = {}): Promise<Document> {
  const child = cmdop(argv, environment)
  const [document] = await Promise.all([readDocument(child, argv), once(child, 'close')])
  return document
}

function cmdop(argv: string[], environment: Record<string, string | undefined>): ChildProcess {
  return spawn(process.execPath, ['--conditions=@cmdop/source', cli, ...argv, '--json'], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

async function readDocument(child: ChildProcess, argv: string[]): Promise<Document> {
  let text = ''
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk)
    if (text.endsWith('}\n')) return JSON.parse(text) as Document
  }
  throw new Error(`cmdop ${argv[0]} ended before it said anything`)
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}
