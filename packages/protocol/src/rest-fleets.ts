import { z } from 'zod'
import { MfaRequired, Role } from './rest-identity.ts'

const instant = z.iso.datetime()
const Name = z.string().trim().min(1).max(120)

/** A fleet, as one of its members sees it. */
export const FleetSummary = z.object({
  id: z.string(),
  name: z.string(),
  /** Unique on the relay. */
  slug: z.string(),
  /** Whether signing in takes an authenticator. */
  mfa_required: MfaRequired,
  /** What you can do there at most. */
  role: Role.nullable(),
  created_at: instant,
  /** A fleet that is disabled is in no list. */
  disabled_at: instant.nullable(),
})
export type FleetSummary = z.infer<typeof FleetSummary>

/** Answer of `GET /api/fleets`: those of which you are a member, the oldest first. */
export const FleetList = z.object({
  items: z.array(FleetSummary),
  /** Fleets before these. */
  offset: z.number().int(),
  /** Fleets in one page at most. */
  per_page: z.number().int(),
  /** Fleets in all pages. */
  total: z.number().int(),
})
export type FleetList = z.infer<typeof FleetList>

/** Body of `POST /api/fleets`. */
export const FleetCreate = z.strictObject({
  name: Name,
  /** Lower case letters, digits and dashes; unique on the relay. */
  slug: z
    .string()
    .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'Expected lower case letters, digits and dashes, 63 at most.'),
  mfa_required: MfaRequired.default('optional'),
})
export type FleetCreate = z.input<typeof FleetCreate>

/** Body of `PATCH /api/fleets/:fleet`: what is not named stays. */
export const FleetChange = z
  .strictObject({ name: Name.optional(), mfa_required: MfaRequired.optional() })
  .refine((change) => Object.values(change).some((value) => value !== undefined), 'Expected something to change.')
export type FleetChange = z.input<typeof FleetChange>

/** Body of `POST /api/fleets/:fleet/machines`. */
export const MachineAttach = z.strictObject({ machine_id: z.string().min(1).max(64) })
export type MachineAttach = z.input<typeof MachineAttach>

/** That a machine was moved into a fleet. */
export const MachineFleetLink = z.object({
  machine_id: z.string(),
  fleet_id: z.string(),
  joined_at: instant,
  /** The member of that fleet who moved it there. */
  added_by_id: z.string().nullable(),
})
export type MachineFleetLink = z.infer<typeof MachineFleetLink>
