import type { Client } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'

/** The id of the schedule that a person means: by its id, or by its name. Throws `not_found`, `ambiguous`. */
export async function scheduleIdOf(client: Client, meant: string, signal: AbortSignal): Promise<string> {
  // An id is not looked up: whoever may run one schedule need not see all of them.
  if (meant.startsWith('sch_')) return meant
  const all = await Array.fromAsync(client.schedules.iter({ signal }))
  const [first, ...others] = all.filter(({ name }) => name === meant)
  if (first === undefined)
    throw new CmdopError('not_found', `There is no schedule ${meant} in your fleet; see: cmdop schedules list.`)
  if (others.length > 0) {
    const ids = [first, ...others].map(({ id }) => id)
    throw new CmdopError('ambiguous', `${ids.length} schedules are called ${meant}: ${ids.join(', ')}. Use an id.`)
  }
  return first.id
}
