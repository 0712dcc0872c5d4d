import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { enrollMachine } from '@cmdop/machine'
import { type AgentDefaults, Client } from 'cmdop'
import { z } from 'zod'
import { endOfProcess, startNode } from './process.ts'
import type { Story } from './story.ts'

const cli = join(dirname(createRequire(import.meta.url).resolve('cmdop/package.json')), 'src', 'main.ts')

const RelayReady = z.object({ url: z.string(), key: z.string() })
const MachineReady = z.object({ name: z.string() })

export interface SystemOptions extends Story {
  /** Names of the machines, with their labels. */
  readonly machines: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/** A relay and machines, each a process, with throw-away folders; all machines are this host. */
export interface LocalSystem extends AsyncDisposable {
  /** With the key of the first owner. */
  readonly owner: Client
  /** The key of an AI operator that acts for the owner: it can do no more than he, and approves nothing. */
  operator(agent: AgentDefaults): Promise<Client>
  /** Somebody who was invited and has signed in. */
  person(name: string): Promise<Client>
}

/** Starts them with the command line, as a person would. When the signal aborts, what was started is ended again. */
export async function startSystem({ machines, say, signal }: SystemOptions): Promise<LocalSystem> {
  await using started = new AsyncDisposableStack()
  const data = await mkdtemp(join(tmpdir(), 'cmdop-story-'))
  started.defer(() => rm(data, { recursive: true, force: true }))
  const start = (...argv: string[]) => {
    signal.throwIfAborted()
    const child = startNode(['--conditions=@cmdop/source', cli, ...argv, '--log-level', 'warn', '--json'])
    started.defer(() => endOfProcess(child))
    return child
  }
  const relay = start('relay', '--port', '0', '--data', join(data, 'relay'))
  const { url, key } = await readDocument(relay.stdout, RelayReady)
  say(`relay     process ${relay.pid}, ${url}`)
  const system = started.use(systemAt(url, key))
  const { owner } = system

  await Promise.all(
    Object.entries(machines).map(async ([name, labels]) => {
      const dataDir = join(data, name)
      const { rawToken: token } = await owner.enrollmentTokens.issue({ labels: { ...labels } })
      await enrollMachine({ relayUrl: url, token, dataDir, name })
      const machine = start('machine', 'run', '--data', dataDir)
      await readDocument(machine.stdout, MachineReady)
      say(`machine   process ${machine.pid}, dials out to the relay as ${name}`)
    }),
  )
  await Promise.all(Object.keys(machines).map((name) => whenOnline(owner, name, signal)))

  signal.throwIfAborted()
  const running = started.move()
  return { ...system, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

/** The same for a relay that is there, by the key of its first owner. Disposing it closes the clients. */
export function systemAt(url: string, key: string): LocalSystem {
  const clients = new AsyncDisposableStack()
  const connect = (token: string, agent: AgentDefaults = {}) => clients.use(new Client({ baseUrl: url, token, agent }))
  const owner = connect(key)
  return {
    owner,
    operator: async (agent) => {
      const { rawToken: token } = await owner.keys.issue({ name: 'operator', kind: 'ai', expiresInDays: 1 })
      return connect(token, agent)
    },
    person: async (name) => {
      const email = `${name}-${randomUUID()}@example.com`
      const { token: invitation } = await owner.members.invite({ email, role: 'member' })
      const { token } = await owner.login.accept({ token: invitation, displayName: name })
      return connect(token)
    },
    [Symbol.asyncDispose]: () => clients.disposeAsync(),
  }
}

/** Until commands reach the machine. */
async function whenOnline(client: Client, name: string, signal: AbortSignal): Promise<void> {
  const isOnline = async () =>
    (await client.machines.list({ signal })).items.some(
      (machine) => machine.name === name && machine.presence === 'online',
    )
  while (!(await isOnline())) await wait(50, undefined, { signal })
}

/** The JSON document that a command prints when it is ready. Throws what it says instead. */
async function readDocument<Schema extends z.ZodType>(
  output: AsyncIterable<unknown> | null,
  schema: Schema,
): Promise<z.output<Schema>> {
  let text = ''
  for await (const chunk of output ?? []) {
    text += String(chunk)
    if (text.endsWith('}\n')) return schema.parse(JSON.parse(text))
  }
  throw new Error(`A part of the system did not start: ${text || 'it said nothing'}`)
}
