import type { Client } from '@cmdop/core'
import type { Role } from '@cmdop/protocol'
import type { World } from './world.ts'

/** Somebody who was invited and is signed in. */
export interface Person {
  readonly id: string
  readonly email: string
  /** Of the session. */
  readonly token: string
  readonly sessionId: string
  readonly client: Client
}

/** A new member of the world's fleet, by an invitation of the owner. */
export async function invitePerson(world: World, name: string, role: Role = 'member', groups: string[] = []) {
  const email = `${name}@example.com`
  const { token: invitation } = await world.client.members.invite({ email, role, groups })
  const { token, principalId: id, sessionId } = await world.client.login.accept({ token: invitation })
  return { id, email, token, sessionId, client: world.connect({ token }) } satisfies Person
}
