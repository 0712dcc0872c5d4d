import { startMachine } from '@cmdop/machine'
import { runUntilTold, settings } from './run-until-told.ts'

const machine = await startMachine(settings() as Parameters<typeof startMachine>[0])
runUntilTold({ machineId: machine.state.machineId }, () => machine.close())
