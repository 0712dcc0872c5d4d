import * as z from 'zod'
import { z as z3 } from 'zod/v3'
import type { Agent } from '../agent.ts'

/** The imports of `type-weight.ts` and no use of them: what its weight is compared with. */
export const imported = { z, z3 }
export type Imported = Agent
