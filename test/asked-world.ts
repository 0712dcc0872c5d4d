// The daemon loads it at its first ask; here before any test's time begins.
import '@cmdop/agent'
import { type ModelServer, type ServerRequest, type ServerTurn, startModelServer } from '@cmdop/agent/testing'
import type { Client } from '@cmdop/core'
import { startWorld, type World, type WorldOptions } from './world.ts'

/** A world whose machines have a model of their own, at the provider's HTTP wire. */
export interface AskedWorld extends AsyncDisposable {
  readonly server: ModelServer
  readonly world: World
}

/** Starts one; the model answers turn by turn. */
export async function startAsked(
  turns: readonly ServerTurn[] | ((request: ServerRequest, index: number) => ServerTurn),
  options: WorldOptions = {},
): Promise<AskedWorld> {
  await using opening = new AsyncDisposableStack()
  const server = opening.use(await startModelServer(turns))
  const operator = { env: server.env('openai-compatible'), ...options.operator }
  const world = opening.use(await startWorld({ relay: { heartbeatMs: 50 }, ...options, operator }))
  const opened = opening.move()
  return { server, world, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

/** A turn in which the model runs a command. */
export function runs(command: string): ServerTurn {
  return { calls: [{ tool: 'run_command', input: { command } }] }
}

/** A command that goes on until the file is there. */
export function until(file: string): string {
  return `until [ -e ${file} ]; do sleep 0.02; done; rm ${file}`
}

/** A client of another principal. */
export async function clientOf(world: World, role: 'viewer' | 'member'): Promise<Client> {
  const { rawToken: token } = await world.client.keys.issue({ name: role, role })
  return world.connect({ token })
}
