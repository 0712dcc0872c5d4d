import type { ClientOptions, RemoteMachine as PublicMachine } from '@cmdop/core'
import { Channels } from '../packages/core/src/channels.ts'
import { nodePlatform } from '../packages/core/src/platform-node.ts'
import { RemoteMachine } from '../packages/core/src/remote-machine.ts'
import { RestClient } from '../packages/core/src/rest-client.ts'
import { resolveSettings } from '../packages/core/src/settings.ts'
import type { World } from './world.ts'

/** A handle of the world's machine for a key that could not resolve it: for what only the channel may refuse. */
export function unresolvedMachine(world: World, options: ClientOptions = {}): PublicMachine {
  const { url: baseUrl, firstKey: token } = world.relay
  const settings = resolveSettings({ baseUrl, token, ...options }, { environment: {}, configFile: () => ({}) })
  const { id, name } = world.machine
  const rest = new RestClient(settings, nodePlatform)
  return new RemoteMachine(new Channels(settings, nodePlatform, rest), { id, name, hostname: name })
}
