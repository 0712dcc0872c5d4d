/** Many daemons in one process. Arguments: a folder, the address of the relay, an enrolment token, the number of the first, how many. */
import { join } from 'node:path'
import { enrollMachine, startMachine } from '@cmdop/machine'
import { serve } from './serve.ts'

/** Enrolments under way at once. */
const AT_ONCE = 20

const [folder = '', relayUrl = '', token = '', first = '0', count = '0'] = process.argv.slice(2)
const machines: Awaited<ReturnType<typeof startMachine>>[] = []
while (machines.length < Number(count)) {
  const more = Math.min(AT_ONCE, Number(count) - machines.length)
  const from = Number(first) + machines.length
  machines.push(...(await Promise.all(Array.from({ length: more }, (_, index) => start(from + index)))))
}
serve({
  ready: { machines: machines.length },
  close: async () => {
    await Promise.all(machines.map((machine) => machine.close()))
  },
})

async function start(number: number) {
  const name = `bench-${String(number).padStart(4, '0')}`
  const dataDir = join(folder, name)
  await enrollMachine({ dataDir, relayUrl, token, name })
  return startMachine({ dataDir, logLevel: 'silent' })
}
