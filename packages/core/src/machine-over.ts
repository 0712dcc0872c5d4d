import type { Transport } from '@cmdop/protocol'
import type { ApprovalWaits } from './approvals.ts'
import { Channels } from './channels.ts'
import { NodeMachine } from './files/node/node-machine.ts'
import { nodePlatform } from './platform-node.ts'
import type { MachineSummary } from './resources.ts'
import { RestClient } from './rest-client.ts'

/** A machine that is reached without a relay's address. */
export interface MachineOverOptions {
  readonly machine: Pick<MachineSummary, 'id' | 'name' | 'hostname'>
  /** Opens a transport on which somebody accepts calls for the machine. */
  readonly openTransport: () => Transport
  /** Milliseconds for the first answer of a call. */
  readonly timeoutMs: number
  /** Where its calls wait for people. */
  readonly approvals: ApprovalWaits
}

/** A handle of a machine, and how to end what runs on it. */
export interface MachineOver {
  readonly machine: NodeMachine
  /** Cancels every call that still runs. Idempotent. */
  close(): Promise<void>
}

/** A handle of the machine at the other end of a transport: for the daemon itself, which has no key and no address. */
export function machineOver({ machine, openTransport, timeoutMs, approvals }: MachineOverOptions): MachineOver {
  const platform = { ...nodePlatform, openChannel: async () => openTransport() }
  const settings = {
    baseUrl: 'http://machine.invalid',
    apiBaseUrl: 'http://machine.invalid',
    token: 'none',
    apiKey: undefined,
    fleetId: undefined,
    timeoutMs,
    retries: 0,
    waitForApproval: false,
  }
  const channels = new Channels(settings, platform, new RestClient(settings, platform), { approvals })
  return { machine: new NodeMachine(channels, machine), close: () => channels.close() }
}
