import type { Bus } from '../bus/bus.ts'
import type { Blobs } from '../recordings/blobs.ts'
import type { Metrics } from './metrics.ts'
import type { Store } from '../store/store.ts'

/** What the routes work with. */
export interface HttpContext {
  readonly store: Store
  /** Contents of recordings. */
  readonly blobs: Blobs
  readonly bus: Bus
  readonly relayId: string
  /** SPKI PEM. */
  readonly relayPublicKey: string
  readonly metrics: Metrics
  isDraining(): boolean
}
