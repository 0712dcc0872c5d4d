import type { Client, Machine, MachineList, MachineSummary } from '@cmdop/core'
import type * as z from 'zod'
import type { ListMachinesInput } from './offered-tools.ts'

/**
 * The machines a server offers. Every call of a tool takes its machine from here, so this is where a handle is bound to
 * what holds for all of its commands.
 */
export interface MachineSource {
  /** The only one; undefined: calls name theirs. */
  readonly only: Machine | undefined
  /** The one that a reference means. Throws `not_found` or `ambiguous`. */
  machine(reference: string, signal: AbortSignal): Promise<Machine>
  /** A page of them, as the relay sees them. */
  list(query: z.output<typeof ListMachinesInput>, signal: AbortSignal): Promise<MachineList>
}

/** All machines that the client's key may see, also those that join later. */
export function fleetSource(client: Client): MachineSource {
  return {
    only: undefined,
    machine: (reference, signal) => client.machine(reference, { signal }),
    list: ({ presence, limit, q, cursor }, signal) =>
      client.machines.list({
        presence,
        limit,
        signal,
        ...(q === undefined ? {} : { q }),
        ...(cursor === undefined ? {} : { cursor }),
      }),
  }
}

/** One machine, and nothing of any other. */
export function singleSource(client: Client, machine: Machine): MachineSource {
  return {
    only: machine,
    machine: async () => machine,
    list: async ({ presence, q = '' }, signal) => {
      const summary = await client.machines.get(machine.id, { signal })
      const items = [summary].filter((each) => (presence === 'any' || each.presence === presence) && isNamed(each, q))
      return { items, nextCursor: null, hasMore: false }
    },
  }
}

function isNamed({ name, hostname }: MachineSummary, part: string): boolean {
  return [name, hostname].some((each) => each.toLowerCase().includes(part.toLowerCase()))
}
