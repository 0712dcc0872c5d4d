/** A machine in a process of its own. Arguments: its data folder, the address of the relay, an enrolment token. */
import { enrollMachine, startMachine } from '@cmdop/machine'
import { serve } from './serve.ts'

const [dataDir = '', relayUrl = '', token = ''] = process.argv.slice(2)
const { machineId } = await enrollMachine({ dataDir, relayUrl, token, name: 'bench' })
const machine = await startMachine({ dataDir, logLevel: 'error' })
serve({ ready: { machineId }, close: () => machine.close() })
