/** A command that waits for its machine. */
interface Waiting {
  readonly shared: boolean
  readonly enter: () => void
}

interface Lane {
  /** Calls inside: one that is alone, or any number that share. */
  inside: number
  alone: boolean
  readonly waiting: Waiting[]
}

/** Machines on which something runs now, by id. One list for the process: two runs are one machine's guests all the same. */
const lanes = new Map<string, Lane>()

/**
 * Waits until a command may run on a machine: one at a time, in the order they came; those that share run side by side.
 * Dispose it when the command has ended. Rejects with the signal's reason when it is aborted before.
 */
export async function enterLane(machineId: string, shared: boolean, signal: AbortSignal): Promise<Disposable> {
  signal.throwIfAborted()
  const lane = lanes.get(machineId) ?? { inside: 0, alone: false, waiting: [] }
  lanes.set(machineId, lane)
  const entered = Promise.withResolvers<void>()
  const waiting: Waiting = { shared, enter: entered.resolve }
  const leaveQueue = (): void => {
    const index = lane.waiting.indexOf(waiting)
    if (index < 0) return
    lane.waiting.splice(index, 1)
    entered.reject(signal.reason)
    admit(machineId, lane)
  }
  lane.waiting.push(waiting)
  signal.addEventListener('abort', leaveQueue, { once: true })
  admit(machineId, lane)
  try {
    await entered.promise
  } finally {
    signal.removeEventListener('abort', leaveQueue)
  }
  let left = false
  return {
    [Symbol.dispose]: () => {
      if (left) return
      left = true
      lane.inside -= 1
      admit(machineId, lane)
    },
  }
}

function admit(machineId: string, lane: Lane): void {
  if (lane.inside === 0) lane.alone = false
  for (let next = lane.waiting[0]; next !== undefined; next = lane.waiting[0]) {
    if (lane.alone || (lane.inside > 0 && !next.shared)) return
    lane.waiting.shift()
    lane.inside += 1
    lane.alone = !next.shared
    next.enter()
  }
  if (lane.inside === 0) lanes.delete(machineId)
}
