export { type EnrollOptions, enrollMachine } from './enroll.ts'
export { type MachineState, readMachineState } from './machine-state.ts'
export { readCapabilities } from './restricted/read-capabilities.ts'
export { type MachineOptions, type RunningMachine, startMachine } from './start-machine.ts'
