import { CmdopError, type FleetCreate, type FleetSummary } from '@cmdop/protocol'
import type { z } from 'zod'
import type { Bus } from '../bus/bus.ts'
import type { FleetSettingsRow } from '../store/identity.ts'
import type { Membership, Role, Store } from '../store/store.ts'
import { type Caller, isPersonAtHome } from './authenticate.ts'
import { everyMember } from './members.ts'
import { leastRole } from './owner.ts'
import { newId } from './secrets.ts'

/** Makes a fleet whose owner is the person who asks. Throws `permission` for a key that is less than the person, `conflict` for a slug that is taken. */
export async function createFleet(
  store: Store,
  caller: Caller,
  { name, slug, mfa_required: mfaRequired }: z.output<typeof FleetCreate>,
): Promise<FleetSummary> {
  const { principal } = caller
  if (!isPersonAtHome(caller))
    throw new CmdopError(
      'permission',
      'Only a person makes a fleet, where he signs in: with a session (cmdop login), or a key of his own without scopes.',
    )
  const createdAt = new Date().toISOString()
  const fleet = { id: newId('flt_'), name, slug, createdAt, mfaRequired }
  const { id: personId, name: ownerName, email } = principal
  await store.fleets.create(fleet, {
    id: newId('prn_'),
    fleetId: fleet.id,
    kind: 'human',
    name: ownerName,
    role: 'owner',
    actsForId: null,
    createdAt,
    email,
    personId,
  })
  return fleetSummary({ fleet: { ...fleet, disabledAt: null }, role: 'owner' })
}

/** The fleets that the caller may act in: those of the person, or only its own where it is less than one. */
export async function fleetsOf(
  store: Store,
  caller: Caller,
  { offset, per_page: limit }: { offset: number; per_page: number },
): Promise<{ items: FleetSummary[]; total: number }> {
  if (!isPersonAtHome(caller)) {
    const own = await fleetFor(store, caller)
    return { items: offset === 0 ? [own] : [], total: 1 }
  }
  const { items, total } = await store.fleets.ofPerson(caller.principalId, { offset, limit })
  const may = (role: Role) => leastRole([caller.key.role, role])
  return { items: items.map((membership) => fleetSummary({ ...membership, role: may(membership.role) })), total }
}

/** The fleet that the caller acts in. */
export async function fleetFor(
  store: Store,
  { fleetId, role }: Pick<Caller, 'fleetId' | 'role'>,
): Promise<FleetSummary> {
  const [fleet, settings] = await Promise.all([store.fleets.get(fleetId), store.fleets.settings(fleetId)])
  if (fleet === undefined || settings === undefined) throw new CmdopError('not_found', 'There is no such fleet.')
  return fleetSummary({ fleet: { ...fleet, mfaRequired: settings.mfaRequired }, role })
}

/** Changes what is named. Who signed in without an authenticator may not go on where one is asked for from now on. */
export async function configureFleet(
  context: { readonly store: Store; readonly bus: Bus },
  fleetId: string,
  {
    name,
    mfaRequired,
    fourEyes,
  }: { [Name in keyof FleetSettingsRow]?: FleetSettingsRow[Name] | undefined } & { name?: string | undefined },
): Promise<void> {
  await context.store.fleets.configure(fleetId, {
    ...(name === undefined ? {} : { name }),
    ...(mfaRequired === undefined ? {} : { mfaRequired }),
    ...(fourEyes === undefined ? {} : { fourEyes }),
  })
  if (mfaRequired === 'required') await membersChanged(context, fleetId)
}

/** Every member is looked up again, whichever fleet his key is of. */
export async function membersChanged(
  { store, bus }: { readonly store: Store; readonly bus: Bus },
  fleetId: string,
): Promise<void> {
  for await (const { id } of everyMember(store, fleetId))
    await bus.publish({ type: 'principal-changed', principalId: id })
}

function fleetSummary({ fleet, role }: Membership): FleetSummary {
  return {
    id: fleet.id,
    name: fleet.name,
    slug: fleet.slug,
    mfa_required: fleet.mfaRequired,
    role,
    created_at: fleet.createdAt,
    disabled_at: fleet.disabledAt,
  }
}
