import type { MachineSummary } from '../../resources.ts'
import type { CallDefaults, Channels } from '../../channels.ts'
import { RemoteMachine } from '../../remote-machine.ts'
import type { MachineSessions } from '../../sessions/session.ts'
import { listenNode } from '../../tunnels/listen-node.ts'
import {
  type ForwardTarget,
  type ListenOptions,
  startTunnelListener,
  type TunnelListener,
} from '../../tunnels/tunnel-listener.ts'
import { FileCalls } from '../file-calls.ts'
import { NodeFiles } from './node-files.ts'

/** A machine over the relay, for a client in Node: files go to and from this computer too. */
export class NodeMachine extends RemoteMachine {
  declare readonly files: NodeFiles
  declare readonly sessions: MachineSessions<NodeFiles>

  readonly #line: Channels

  constructor(channels: Channels, summary: Pick<MachineSummary, 'id' | 'name' | 'hostname'>) {
    super(channels, summary, new NodeFiles(new FileCalls(channels, summary.id)))
    this.#line = channels
  }

  /**
   * Listens on this computer; each connection goes to a port of the machine, as seen from there. A connection outlives the loss of the
   * way to the machine, byte for byte.
   */
  forward(target: number | Omit<ForwardTarget, 'machineId'>, options: ListenOptions = {}): Promise<TunnelListener> {
    const given = typeof target === 'number' ? { port: target } : target
    const ways = { channels: this.#line, listen: listenNode }
    return startTunnelListener(ways, { ...given, machineId: this.id }, options)
  }

  override as(calls: CallDefaults): NodeMachine {
    return new NodeMachine(this.#line.with(calls), this)
  }
}
