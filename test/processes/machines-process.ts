import { join } from 'node:path'
import { enrollMachine, startMachine } from '@cmdop/machine'
import { runUntilTold, settings } from './run-until-told.ts'

/** Daemons, each with a folder and a key of its own, in one process. */
const { folder, relayUrl, token, names } = settings() as {
  folder: string
  relayUrl: string
  token: string
  names: readonly string[]
}
const machines: Awaited<ReturnType<typeof startMachine>>[] = []
for (const name of names) {
  const dataDir = join(folder, name)
  await enrollMachine({ dataDir, relayUrl, token, name })
  machines.push(await startMachine({ dataDir, logLevel: 'silent' }))
}
runUntilTold({ machines: machines.map(({ state }) => state.machineId) }, async () => {
  await Promise.all(machines.map((machine) => machine.close()))
})
