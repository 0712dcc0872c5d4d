import { z } from 'zod'
import { ShownName } from './names.ts'
import { MfaRequired, Role } from './rest-identity.ts'

const instant = z.iso.datetime()

/** A fleet, as one of its members sees it. */
export const FleetSummary = z.object({
  id: z.string().describe('Id of the fleet'),
  name: z.string().describe('What people call the fleet'),
  slug: z.string().describe('Its name in addresses, unique on the relay'),
  mfa_required: MfaRequired.describe('Whether signing in takes an authenticator'),
  role: Role.nullable().describe('What you can do there at most'),
  created_at: instant.describe('When it was made'),
  disabled_at: instant.nullable().describe('Always null: a fleet that is disabled is in no list'),
})
export type FleetSummary = z.infer<typeof FleetSummary>

/** Answer of `GET /api/fleets`: those of which you are a member, the oldest first. */
export const FleetList = z.object({
  items: z.array(FleetSummary).describe('Fleets of which you are a member, the oldest first'),
  offset: z.number().int().describe('Fleets before these'),
  per_page: z.number().int().describe('Fleets in one page at most'),
  total: z.number().int().describe('Fleets in all pages'),
})
export type FleetList = z.infer<typeof FleetList>

/** Body of `POST /api/fleets`. */
export const FleetCreate = z.strictObject({
  name: ShownName.describe('What people call the fleet'),
  slug: z
    .string()
    .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'Expected lower case letters, digits and dashes, 63 at most.')
    .describe('Its name in addresses: lower case letters, digits and dashes; unique on the relay'),
  mfa_required: MfaRequired.default('optional').describe('Whether signing in takes an authenticator'),
})
export type FleetCreate = z.input<typeof FleetCreate>

/** Body of `PATCH /api/fleets/:fleet`: what is not named stays. */
export const FleetChange = z
  .strictObject({
    name: ShownName.optional().describe('Another name; absent: it stays'),
    mfa_required: MfaRequired.optional().describe('Whether signing in takes an authenticator; absent: it stays'),
  })
  .refine((change) => Object.values(change).some((value) => value !== undefined), 'Expected something to change.')
export type FleetChange = z.input<typeof FleetChange>

/** Body of `POST /api/fleets/:fleet/machines`. */
export const MachineAttach = z.strictObject({
  machine_id: z.string().min(1).max(64).describe('Id of the machine that moves into the fleet'),
})
export type MachineAttach = z.input<typeof MachineAttach>

/** That a machine was moved into a fleet. */
export const MachineFleetLink = z.object({
  machine_id: z.string().describe('Id of the machine'),
  fleet_id: z.string().describe('Id of the fleet that it is in now'),
  joined_at: instant.describe('When it was moved there'),
  added_by_id: z
    .string()
    .nullable()
    .describe('Id of the member of that fleet who moved it there; null where nobody is known'),
})
export type MachineFleetLink = z.infer<typeof MachineFleetLink>
