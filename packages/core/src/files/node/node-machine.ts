import type { MachineSummary } from '@cmdop/protocol'
import type { Channels } from '../../channels.ts'
import { RemoteMachine } from '../../remote-machine.ts'
import { NodeFiles } from './node-files.ts'

/** A machine over the relay, for a client in Node: files go to and from this computer too. */
export class NodeMachine extends RemoteMachine {
  declare readonly files: NodeFiles

  constructor(channels: Channels, summary: Pick<MachineSummary, 'id' | 'name' | 'hostname'>) {
    super(channels, summary, new NodeFiles(channels, summary.id))
  }
}
