/** Who holds a machine's connection. */
export interface Owner {
  /** The running relay process. */
  readonly relayInstance: string
  /** The running daemon. */
  readonly machineInstance: string
  /** When the machine was last heard there, milliseconds since 1970. */
  readonly heardAt: number
}

/** What relays tell each other. `from` is the running relay that says it. */
export type BusMessage =
  | { readonly type: 'machine-claimed'; readonly machineId: string; readonly owner: Owner }
  /** Two daemons use its key; nothing runs there, and whoever holds a connection of it ends that. */
  | { readonly type: 'machine-quarantined'; readonly machineId: string }
  /**
   * A machine came into a fleet, or its row changed. Whoever holds a connection of it looks: where it is disabled, or in another
   * fleet now, that ends, with all that runs through it.
   */
  | {
      readonly type: 'machine-changed'
      readonly machineId: string
      readonly change: 'enrolled' | 'changed' | 'disabled' | 'enabled' | 'moved'
    }
  /** A fleet was disabled: connections of its machines end. */
  | { readonly type: 'fleet-disabled'; readonly fleetId: string }
  /** Somebody asks these machines for a sign of life; whoever holds one answers for it. */
  | { readonly type: 'ping'; readonly pingId: string; readonly machineIds: readonly string[] }
  | { readonly type: 'pong'; readonly pingId: string; readonly machineId: string }
  | { readonly type: 'key-revoked'; readonly keyId: string }
  /** Role, groups or scopes of a principal changed, or it was removed; whatever is remembered of it is stale. */
  | { readonly type: 'principal-changed'; readonly principalId: string }
  /** A fleet run was cancelled, or is gone on with: nothing of it begins, or may again. */
  | { readonly type: 'fleet-run-changed'; readonly runId: string; readonly isCancelled: boolean }
  /** Somebody wants a run of a schedule to end; whoever does it ends it. */
  | { readonly type: 'schedule-run-cancelled'; readonly runId: string }
  /** It was closed: whoever carries connections of it ends them. */
  | { readonly type: 'tunnel-closed'; readonly tunnelId: string }
  | { readonly type: 'policy-changed'; readonly fleetId: string }
  | { readonly type: 'approval-changed'; readonly fleetId: string; readonly approvalId: string }

/**
 * What relays that serve one set of machines share beside the store: who holds which machine, since when it was heard,
 * and wake-ups. Nothing in it has to survive: a machine whose owner is forgotten connects again.
 * Every implementation passes `bus-conformance.ts`.
 */
export interface Bus extends AsyncDisposable {
  /** This relay holds the machine from now on; a former owner learns it through `machine-claimed` and lets go. */
  claim(machineId: string, owner: Owner): Promise<void>
  /** Forgets the owner, if it still is this very connection. */
  release(machineId: string, owner: Pick<Owner, 'relayInstance' | 'machineInstance'>): Promise<void>
  /** Life signs of machines this relay holds; ignored for those it does not. */
  heard(relayInstance: string, machines: readonly { machineId: string; heardAt: number }[]): Promise<void>
  owner(machineId: string): Promise<Owner | undefined>
  /** Owners of many machines at once; one without is not in the answer. */
  owners(machineIds: readonly string[]): Promise<ReadonlyMap<string, Owner>>
  publish(message: BusMessage): Promise<void>
  /** Calls `handler` for every message from now on, in the order of one publisher. Returns how to stop. */
  subscribe(handler: (message: BusMessage) => void): () => void
}

/** Waits until somebody holds the machine, at most `timeoutMs`; undefined when nobody came. */
export async function waitForOwner(bus: Bus, machineId: string, timeoutMs: number): Promise<Owner | undefined> {
  const claimed = Promise.withResolvers<Owner | undefined>()
  const stop = bus.subscribe((message) => {
    if (message.type === 'machine-claimed' && message.machineId === machineId) claimed.resolve(message.owner)
  })
  const timer = setTimeout(() => claimed.resolve(undefined), timeoutMs)
  try {
    // Asked after subscribing, so that no claim falls between.
    return (await bus.owner(machineId)) ?? (await claimed.promise)
  } finally {
    clearTimeout(timer)
    stop()
  }
}
