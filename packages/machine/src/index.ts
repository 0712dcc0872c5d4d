export { type EnrollOptions, enrollMachine } from './enroll.ts'
export { type MachineState, readMachineState } from './machine-state.ts'
export { type MachineOptions, type RunningMachine, startMachine } from './start-machine.ts'
