export { createFailureLimit, type FailureLimit, type MaxFailures } from './waves/failure-limit.ts'
export { waveSizes, type WaveSize } from './waves/wave-sizes.ts'
