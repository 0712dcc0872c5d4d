import type { Bus } from '../bus/bus.ts'
import type { Metrics } from './metrics.ts'
import type { Store } from '../store/store.ts'

/** What the routes work with. */
export interface HttpContext {
  readonly store: Store
  readonly bus: Bus
  readonly relayId: string
  /** SPKI PEM. */
  readonly relayPublicKey: string
  readonly metrics: Metrics
  isDraining(): boolean
}
