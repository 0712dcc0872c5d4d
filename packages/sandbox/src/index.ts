export type { View, ViewLayer, ViewReader } from './view.ts'
