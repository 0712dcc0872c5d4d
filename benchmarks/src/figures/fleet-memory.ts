import { join } from 'node:path'
import { Client } from '@cmdop/core'
import type { Figure, Row } from '../figure.ts'
import { Child } from '../processes/child.ts'
import { inMegabytes } from '../statistics.ts'
import { temporaryFolder } from '../temporary-folder.ts'
import { startRelayProcess } from '../world.ts'

const MACHINES = 1000
const PROCESSES = 5
const RESULT_BYTES = 100_000
const BOUND_BYTES = 250_000_000

/** Open files of relay and daemons. */
const OPEN_FILES = 20_000

/** What a script holds that waits for the results of many machines. */
export const fleetMemoryFigure: Figure = {
  id: 'fleet-memory',
  title: `Memory of a script with ${MACHINES} results of ${RESULT_BYTES / 1000} kB each`,
  async measure(progress) {
    await using opened = new AsyncDisposableStack()
    const folder = opened.use(await temporaryFolder())
    const relay = await startRelayProcess(join(folder.path, 'relay'), { openFiles: OPEN_FILES })
    opened.use(relay.child)
    await using client = new Client({ baseUrl: relay.url, token: relay.key })
    const { rawToken } = await client.enrollmentTokens.issue({ maxUses: MACHINES })
    const each = MACHINES / PROCESSES
    for (let index = 0; index < PROCESSES; index += 1) {
      progress(`starting daemons ${index * each + 1} to ${(index + 1) * each}`)
      const { child } = await Child.start({
        entry: 'machines-process.ts',
        arguments: [join(folder.path, 'machines'), relay.url, rawToken, String(index * each), String(each)],
        openFiles: OPEN_FILES,
      })
      opened.use(child)
    }
    progress('running')
    const command = `seq 1 100000 | head -c ${RESULT_BYTES}`
    const { child, ready } = await Child.start({
      entry: 'fleet-script-process.ts',
      arguments: [relay.url, relay.key, command],
    })
    opened.use(child)
    if (ready['ok'] !== MACHINES || ready['bytes'] !== MACHINES * RESULT_BYTES)
      throw new Error(`${String(ready['ok'])} machines answered, with ${String(ready['bytes'])} bytes.`)
    const [before, peak] = [Number(ready['before']), Number(ready['peak'])]
    const stated = { peer: '', ratio: '', bound: '', met: undefined }
    const rows: Row[] = [
      {
        what: 'resident memory of the script, at most',
        ours: inMegabytes(peak),
        peer: '',
        ratio: '',
        bound: `at most ${inMegabytes(BOUND_BYTES)}`,
        met: peak <= BOUND_BYTES,
      },
      { what: 'of it before the run', ours: inMegabytes(before), ...stated },
    ]
    return {
      rows,
      notes: [
        `\`fleet.exec\` of a command with ${RESULT_BYTES} bytes of output on ${MACHINES} real daemons in ${PROCESSES} processes, fan-out 32, in a process of its own whose report has all of them; resident memory looked at every 5 ms. Node runs with its default settings.`,
      ],
    }
  },
}
