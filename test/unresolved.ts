import type { ClientOptions, RemoteMachine as PublicMachine } from '@cmdop/core'
import { ApprovalsNamespace } from '../packages/core/src/approvals.ts'
import { Channels } from '../packages/core/src/channels.ts'
import { nodePlatform } from '../packages/core/src/platform-node.ts'
import { NodeMachine } from '../packages/core/src/files/node/node-machine.ts'
import { RestClient } from '../packages/core/src/rest-client.ts'
import { resolveSettings } from '../packages/core/src/settings.ts'
import type { World } from './world.ts'

/** The channels of a client, to send what no handle would. */
export function rawChannels(world: World, options: ClientOptions = {}): Channels {
  const { url: baseUrl, firstKey: token } = world.relay
  const settings = resolveSettings({ baseUrl, token, ...options }, { environment: {}, configFile: () => ({}) })
  const rest = new RestClient(settings, nodePlatform)
  return new Channels(settings, nodePlatform, rest, { approvals: new ApprovalsNamespace(rest) })
}

/** A handle of the world's machine for a key that could not resolve it: for what only the channel may refuse. */
export function unresolvedMachine(world: World, options: ClientOptions = {}): PublicMachine {
  const { id, name } = world.machine
  return new NodeMachine(rawChannels(world, options), { id, name, hostname: name })
}
