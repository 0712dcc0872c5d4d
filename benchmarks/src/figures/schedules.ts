import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '@cmdop/core'
import { z } from 'zod'
import type { Figure, Measurement } from '../figure.ts'
import { Child } from '../processes/child.ts'
import { inMilliseconds, medianOf } from '../statistics.ts'
import { temporaryFolder } from '../temporary-folder.ts'
import { startRelayProcess } from '../world.ts'

const SCHEDULES = 1000
const MACHINES = 100
const ROUNDS = 5

/** Seconds between two instants, of which the first is to warm up. */
const EVERY_SECONDS = 20

/** Schedules that are made at once. */
const MADE_AT_ONCE = 20

/** Milliseconds in which all have to be there. */
const WITHIN_MS = 1000

const Arrivals = z.object({ arrivals: z.array(z.number()) })

/** How late the last of many schedules is that are due in one second. */
export const schedulesFigure: Figure = {
  id: 'schedules',
  title: `${SCHEDULES.toLocaleString('en')} schedules due in one second`,
  async measure(progress) {
    await using opened = new AsyncDisposableStack()
    const folder = opened.use(await temporaryFolder())
    const relay = await startRelayProcess(join(folder.path, 'relay'))
    opened.use(relay.child)
    const client = opened.use(new Client({ baseUrl: relay.url, token: relay.key }))
    const { rawToken } = await client.enrollmentTokens.issue({ maxUses: MACHINES })
    const args = [relay.url, rawToken, String(MACHINES)]
    const { child: machines } = await Child.start({ entry: 'instant-machines-process.ts', arguments: args })
    opened.use(machines)
    progress(`making ${SCHEDULES} schedules`)
    await makeSchedules(client)
    const rounds: number[][] = []
    for (let round = -1; round < ROUNDS; round += 1) {
      progress(round < 0 ? 'warm-up' : `round ${round + 1} of ${ROUNDS}`)
      const late = await nextInstant(machines)
      if (round >= 0) rounds.push(late)
    }
    return report(rounds)
  },
}

async function makeSchedules(client: Client): Promise<void> {
  const ids = (await Array.fromAsync(client.machines.iter({ limit: 500 }))).map(({ id }) => id)
  let made = 0
  const make = async () => {
    for (let index = made++; index < SCHEDULES; index = made++) {
      const machineIds = [ids[index % ids.length] ?? '']
      const target = { targetKind: 'specific_machines', machineIds } as const
      const cronExpr = `*/${EVERY_SECONDS} * * * * *`
      const what = { name: `bench ${index}`, cronExpr, command: 'true', timezone: 'Europe/Berlin' }
      await client.schedules.create({ ...what, ...target })
    }
  }
  await Promise.all(Array.from({ length: MADE_AT_ONCE }, make))
}

/** By how many milliseconds each call was late at its machine. */
async function nextInstant(machines: Child): Promise<number[]> {
  const everyMs = EVERY_SECONDS * 1000
  const due = Math.ceil((Date.now() + 1000) / everyMs) * everyMs
  await sleep(due - 500 - Date.now())
  await machines.ask({ type: 'arrivals' })
  await sleep(due + everyMs / 2 - Date.now())
  const { arrivals } = Arrivals.parse(await machines.ask({ type: 'arrivals' }))
  if (arrivals.length !== SCHEDULES) throw new Error(`${arrivals.length} of ${SCHEDULES} calls arrived.`)
  return arrivals.map((at) => at - due).toSorted((one, other) => one - other)
}

function report(rounds: readonly (readonly number[])[]): Measurement {
  const last = rounds.map((late) => late.at(-1) ?? Number.NaN)
  const worst = Math.max(...last)
  const some = rounds.map((late) => medianOf([...late]))
  return {
    rows: [
      {
        what: `the last call with its permit at its machine, worst of ${ROUNDS} rounds`,
        ours: inMilliseconds(worst),
        peer: '',
        ratio: '',
        bound: `at most ${WITHIN_MS} ms`,
        met: worst <= WITHIN_MS,
      },
      {
        what: 'the same, median of the rounds',
        ours: inMilliseconds(medianOf(last)),
        peer: '',
        ratio: '',
        bound: '',
        met: undefined,
      },
      {
        what: 'half of the calls, median of the rounds',
        ours: inMilliseconds(medianOf(some)),
        peer: '',
        ratio: '',
        bound: '',
        met: undefined,
      },
    ],
    notes: [
      `${SCHEDULES} schedules in Europe/Berlin, each with one command on one of ${MACHINES} machines, due every ${EVERY_SECONDS} s; one relay with SQLite on disk. Measured from the instant to the arrival of the call at the machine: the claim in the store, the intent in the audit log and the permit are before it.`,
      'The machines are in a process of their own and answer at once, so that no command takes the processors that the relay needs.',
    ],
  }
}
