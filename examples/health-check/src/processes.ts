import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { z } from 'zod'

const cli = join(dirname(createRequire(import.meta.url).resolve('cmdop/package.json')), 'src', 'main.ts')

const RelayReady = z.object({ url: z.string(), key: z.string() })
const Token = z.object({ raw_token: z.string() })
const Enrolled = z.object({ machine_id: z.string() })
const MachineReady = z.object({ name: z.string() })

/** A relay and a machine of our own, each a process, with a throw-away folder. */
export interface System extends AsyncDisposable {
  readonly url: string
  readonly key: string
  readonly machineId: string
}

/** Starts them as a person would, with the command line. When the signal aborts, what was started is ended again. */
export async function startSystem(say: (line: string) => void, signal: AbortSignal): Promise<System> {
  await using started = new AsyncDisposableStack()
  const data = await mkdtemp(join(tmpdir(), 'cmdop-health-check-'))
  started.defer(() => rm(data, { recursive: true, force: true }))
  const start = (argv: string[], env: Record<string, string> = {}) => {
    signal.throwIfAborted()
    const child = cmdop(argv, env)
    started.defer(() => end(child))
    return child
  }

  const relay = start(['relay', '--port', '0', '--data', join(data, 'relay'), '--log-level', 'warn'])
  const { url, key } = await readDocument(relay, RelayReady)
  say(`relay     process ${relay.pid}, ${url}`)

  const { raw_token } = await readDocument(
    start(['machine', 'token'], { CMDOP_BASE_URL: url, CMDOP_TOKEN: key }),
    Token,
  )
  const folder = join(data, 'machine')
  const enroll = start(['machine', 'enroll', '--relay', url, '--data', folder], { CMDOP_ENROLL_TOKEN: raw_token })
  const { machine_id: machineId } = await readDocument(enroll, Enrolled)
  const machine = start(['machine', 'run', '--data', folder, '--log-level', 'warn'])
  const { name } = await readDocument(machine, MachineReady)
  say(`machine   process ${machine.pid}, dials out to the relay as ${name}`)

  signal.throwIfAborted()
  const running = started.move()
  return { url, key, machineId, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

/** In a process group of its own, so that ^C reaches only us, and we end things in their order. */
function cmdop(argv: string[], env: Record<string, string>): ChildProcess {
  return spawn(process.execPath, ['--conditions=@cmdop/source', cli, ...argv, '--json'], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
}

/** The JSON document that a command prints when it is done, or ready. Throws what it says instead. */
async function readDocument<Schema extends z.ZodType>(child: ChildProcess, schema: Schema): Promise<z.output<Schema>> {
  let text = ''
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk)
    if (text.endsWith('}\n')) break
  }
  const document = schema.safeParse(text === '' ? undefined : JSON.parse(text))
  if (document.success) return document.data
  throw new Error(`${child.spawnargs.slice(3, 5).join(' ')} did not start: ${text || 'it said nothing'}`)
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}
