import type { Bus, BusMessage, Owner } from './bus.ts'

/** The bus of relays in one process: usually one. */
export function createMemoryBus(): Bus {
  const owners = new Map<string, Owner>()
  const handlers = new Set<(message: BusMessage) => void>()
  const publish = async (message: BusMessage) => {
    for (const handler of Array.from(handlers)) handler(message)
  }
  return {
    claim: async (machineId, owner) => {
      owners.set(machineId, owner)
      await publish({ type: 'machine-claimed', machineId, owner })
    },
    release: async (machineId, owner) => {
      if (isSame(owners.get(machineId), owner)) owners.delete(machineId)
    },
    heard: async (relayInstance, machines) => {
      for (const { machineId, heardAt } of machines) {
        const owner = owners.get(machineId)
        if (owner?.relayInstance === relayInstance) owners.set(machineId, { ...owner, heardAt })
      }
    },
    owner: async (machineId) => owners.get(machineId),
    owners: async (machineIds) => {
      const found = new Map<string, Owner>()
      for (const id of machineIds) {
        const owner = owners.get(id)
        if (owner !== undefined) found.set(id, owner)
      }
      return found
    },
    publish,
    subscribe: (handler) => {
      handlers.add(handler)
      return () => handlers.delete(handler)
    },
    [Symbol.asyncDispose]: async () => {
      owners.clear()
      handlers.clear()
    },
  }
}

function isSame(owner: Owner | undefined, other: Pick<Owner, 'relayInstance' | 'machineInstance'>): boolean {
  return owner?.relayInstance === other.relayInstance && owner.machineInstance === other.machineInstance
}
