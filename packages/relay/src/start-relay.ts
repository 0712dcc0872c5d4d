import type { AddressInfo } from 'node:net'
import { RunJournals } from './runs/run-journals.ts'
import { join } from 'node:path'
import { CmdopError, type Transport } from '@cmdop/protocol'
import type { z } from 'zod'
import { createApprovals } from './approvals/create-approvals.ts'
import { AskService } from './ask/ask-service.ts'
import { startAuditLog } from './audit/audit-log.ts'
import { clientAddress } from './auth/addresses.ts'
import { newId } from './auth/secrets.ts'
import { bootstrapFleet, issueOwnerKey, proposeRelayKey } from './bootstrap.ts'
import { type Bus, waitForOwner } from './bus/bus.ts'
import { createMemoryBus } from './bus/memory-bus.ts'
import { Admission } from './channel/admission.ts'
import { type DialRelay } from './channel/router.ts'
import { RunReach } from './channel/run-reach.ts'
import { createSwitch, type Switch } from './channel/switch.ts'
import { acceptChannels } from './channel/upgrade.ts'
import { parseRelayConfig, type RelayConfig } from './config.ts'
import { GoingFleetRuns } from './fleet-runs/going-fleet-runs.ts'
import { createApp } from './http/app.ts'
import type { HttpContext } from './http/context.ts'
import { createMetrics, type Metrics } from './http/metrics.ts'
import { createLogger } from './log.ts'
import { createCodeMailer } from './login/mail.ts'
import { signIn } from './login/sign-in.ts'
import { MachineWatches } from './machines/machine-watches.ts'
import { createNotifications } from './notifications/create-notifications.ts'
import { createPageSignIn } from './pages/sign-in.ts'
import { PermitSigner } from './permits.ts'
import { PolicyDesk } from './policy/policy-desk.ts'
import type { Blobs } from './recordings/blobs.ts'
import { FileBlobs } from './recordings/file-blobs.ts'
import { createSchedules } from './schedules/create-schedules.ts'
import { openSqliteStore } from './store/sqlite-store.ts'
import type { Store } from './store/store.ts'
import { createTunnels } from './tunnels/create-tunnels.ts'

/** Parts that another deployment brings itself. */
export interface RelayPorts {
  /** Default: SQLite in the data folder, closed with the relay. A given one stays open. */
  readonly store?: Store
  /** Default: one of its own. */
  readonly bus?: Bus
  /** Contents of recordings; every relay of a set has the same. Default: files in the data folder. */
  readonly blobs?: Blobs
  /** How to reach another relay of the set. */
  readonly dial?: DialRelay
}

/** A relay that serves. */
export interface Relay extends AsyncDisposable {
  /** Its address: `http://127.0.0.1:7420`. */
  readonly url: string
  readonly relayId: string
  /** Of this process; other relays dial it. */
  readonly relayInstance: string
  /** The owner's key, only at the very first start on a store. */
  readonly firstKey: string | undefined
  /** A new owner key, for whoever runs the relay; shown once. */
  issueOwnerKey(name: string): Promise<string>
  /** A transport from another relay of the set. */
  acceptRelay(transport: Transport): void
  /** True as soon as the machine is connected to the set, false when it is not within `timeoutMs`. */
  waitForMachine(machineId: string, timeoutMs: number): Promise<boolean>
  /** Takes no new calls, lets open ones end for `drainMs`, then closes everything in reverse order. Idempotent. */
  close(): Promise<void>
}

/** Starts a relay. Throws `config` for wrong settings, and when the address cannot be bound. */
export async function startRelay(input: z.input<typeof RelayConfig>, ports: RelayPorts = {}): Promise<Relay> {
  const config = parseRelayConfig(input)
  const log = createLogger(config.logLevel)
  await using opened = new AsyncDisposableStack()
  const store = ports.store ?? opened.use(await openSqliteStore({ file: join(config.dataDir, 'relay.sqlite') }))
  const bus = ports.bus ?? opened.use(createMemoryBus())
  const key = await store.relayKey(proposeRelayKey)
  const relayInstance = newId('run_')
  const state = { draining: false, closed: false, url: '' }
  const isDraining = () => state.draining
  const signer = new PermitSigner(key)
  const policies = new PolicyDesk({ store, bus })
  opened.defer(() => policies.close())
  const judge = policies.judge.bind(policies)
  const auditLog = await startAuditLog({ store, key, config, relayInstance, log })
  opened.defer(() => auditLog.close())
  const { trail: audit } = auditLog
  const firstKey = await bootstrapFleet(store, audit)
  const fleetRuns = opened.use(new GoingFleetRuns({ store, bus }))
  const approvals = opened.use(createApprovals({ store, audit, bus, signer, log, judge, asks: () => asks, fleetRuns }))
  const reach = new RunReach({ runs: store.runs })
  const publicUrl = () => config.publicUrl ?? state.url
  const tunnels = opened.use(createTunnels({ store, audit, bus, log, judge, config, publicUrl }))
  const channels = createSwitch({
    store,
    audit,
    bus,
    relayInstance,
    signer,
    admission: new Admission({ judge, approvals: approvals.desk }),
    reach,
    fleetRuns,
    tunnels: tunnels.desk.gate,
    log,
    isDraining,
    decided: (method, code) => metrics.calls.inc({ method, code }),
    dial: ports.dial,
  })
  opened.defer(() => channels.close())
  const metrics: Metrics = createMetrics(channels.counts)
  const ended = (fleetId: string, runId: string) => approvals.desk.voidRun({ fleetId, runId })
  const runs = new RunJournals({ store, audit, ended })
  const asks = new AskService({ ...channels, journals: runs, waits: approvals.waits })
  const schedules = createSchedules({
    ...channels,
    store,
    audit,
    bus,
    log,
    relayInstance: `${config.name}/${relayInstance}`,
    isDraining,
    asks,
    waits: approvals.waits,
  })
  const notifications = opened.use(createNotifications({ store, bus, log, publicUrl, settings: config.webhooks }))
  const blobs = ports.blobs ?? new FileBlobs(join(config.dataDir, 'recordings'))
  const context: HttpContext = {
    store,
    audit,
    auditLog,
    blobs,
    bus,
    pings: channels.pings,
    watches: opened.use(
      new MachineWatches({
        store,
        bus,
        failed: (err) => log.warn({ err }, 'the machines of a fleet could not be watched'),
      }),
    ),
    runs,
    reach,
    asks,
    approvals,
    policies,
    mailer: config.smtp === undefined ? undefined : opened.use(createCodeMailer(config.smtp)),
    notifications,
    schedules: schedules.desk,
    tunnels,
    pageSignIn: {
      ...createPageSignIn({ store, audit }),
      withCode: async (shown, place, open) => open((await signIn({ store, audit }, shown, place)).session_id),
    },
    publicUrl,
    signInsPerMinute: config.signInsPerMinute,
    heartbeatMs: config.heartbeatMs,
    relayId: key.relayId,
    relayPublicKey: key.publicKey,
    metrics,
    isDraining,
  }
  const app = await createApp(context, {
    logger: log,
    trustedProxies: config.trustedProxies,
    ...(config.tls === undefined ? {} : { tls: config.tls }),
  })
  const visits = tunnels.serve(app.server, { clients: channels.clients, isDraining })
  opened.defer(async () => {
    state.closed = true
    visits?.close()
    // Together: the server stops listening first, and is closed once the last WebSocket has ended.
    const closed = app.close()
    await channels.close()
    await closed
  })
  acceptChannels(app.server, {
    visits,
    store,
    audit,
    clients: channels.clients,
    machines: channels.machines,
    allowedOrigins: config.allowedOrigins,
    addressOf: ({ socket, headers }) =>
      clientAddress(socket.remoteAddress, headers['x-forwarded-for']?.toString(), config.trustedProxies),
    isClosed: () => state.closed,
  })
  await listen(() => app.listen({ host: config.host, port: config.port }), config)
  state.url = addressOf(app.server.address() as AddressInfo, config)
  notifications.deliverer.start()
  // Lets go of what runs before the channels are closed.
  opened.use(schedules).start()
  const running = opened.move()
  const close = once(async () => {
    state.draining = true
    await drain(channels, config.drainMs)
    await running.disposeAsync()
  })
  log.info({ relayId: key.relayId, relayInstance }, 'relay is up')
  return {
    url: state.url,
    relayId: key.relayId,
    relayInstance,
    firstKey,
    issueOwnerKey: (name) => issueOwnerKey(store, audit, name),
    acceptRelay: (transport) => channels.acceptRelay(transport),
    waitForMachine: async (machineId, timeoutMs) => (await waitForOwner(bus, machineId, timeoutMs)) !== undefined,
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function listen(start: () => Promise<unknown>, config: RelayConfig): Promise<void> {
  try {
    await start()
  } catch (cause) {
    throw new CmdopError(
      'config',
      `The relay cannot bind ${config.host}:${config.port}; choose a free --port or another --host.`,
      { cause },
    )
  }
}

/** Waits until no channel is open, at most `drainMs`. */
async function drain(channels: Switch, drainMs: number): Promise<void> {
  const end = Date.now() + drainMs
  while (channels.counts.channels() > 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20))
}

function addressOf(address: AddressInfo, config: RelayConfig): string {
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `${config.tls === undefined ? 'http' : 'https'}://${host}:${address.port}`
}

function once(action: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  return () => (running ??= action())
}
