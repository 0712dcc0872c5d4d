import { describe, expect, test } from 'vitest'
import { principalKinds, roles } from '../store/store.ts'
import { type Action, actions, authorise, matrix, never } from './authorise.ts'

const actor = (role: (typeof roles)[number], kind: (typeof principalKinds)[number] = 'human') => ({
  principalId: 'prn_one',
  fleetId: 'flt_one',
  role,
  kind,
  scopes: [],
})

describe('the decision', () => {
  test('is the matrix, for every role and action', () => {
    for (const role of roles) {
      for (const action of actions) {
        const allowed = authorise(actor(role), action, { fleetId: 'flt_one' }).allowed
        expect(`${role} ${action} ${allowed}`).toBe(`${role} ${action} ${matrix[role].includes(action)}`)
      }
    }
  })

  test('lets no AI operator loosen what binds it, nobody but people decide, and all else as the matrix says', () => {
    const ofFleets = ['fleet.configure', 'fleet.create', 'fleet.disable']
    const ofSkills = ['skill.install', 'skill.publish', 'skill.review']
    const notForPrograms = [...ofFleets, 'key.own', 'approval.decide', 'member.manage']
    const ofPeople = ['effect.apply', 'grant.revoke', 'policy.write', 'tunnel.open', 'tunnel.connect']
    const notForAi = [...notForPrograms, ...ofSkills, ...ofPeople, 'schedule.write', 'schedule.run']
    for (const kind of principalKinds) {
      for (const role of roles) {
        for (const action of actions) {
          const isForbidden =
            (kind === 'ai' && notForAi.includes(action)) || (kind !== 'human' && notForPrograms.includes(action))
          const { allowed } = authorise(actor(role, kind), action, { fleetId: 'flt_one' })
          const expected = matrix[role].includes(action) && !isForbidden
          expect(`${kind} ${role} ${action} ${allowed}`).toBe(`${kind} ${role} ${action} ${expected}`)
        }
      }
    }
    const decision = authorise(actor('owner', 'ai'), 'effect.apply', { fleetId: 'flt_one' })
    expect(decision).toEqual({ allowed: false, code: 'permission', reason: never.ai?.['effect.apply'] })
  })

  test('never lets a lesser role do what a mightier one may not', () => {
    for (const [index, role] of roles.entries()) {
      const mightier = roles[index - 1]
      if (mightier !== undefined) expect(matrix[mightier]).toEqual(expect.arrayContaining([...matrix[role]]))
    }
  })

  test('hides what is not there, or of another fleet, from everybody', () => {
    for (const target of [undefined, { fleetId: 'flt_two' }]) {
      expect(authorise(actor('owner'), 'machine.exec', target)).toMatchObject({ allowed: false, code: 'not_found' })
      expect(authorise(actor('viewer'), 'machine.exec', target)).toMatchObject({ allowed: false, code: 'not_found' })
    }
  })

  test('denies what nobody has heard of', () => {
    const unknown = 'machine.explode' as Action
    expect(authorise(actor('viewer'), unknown, { fleetId: 'flt_one' })).toMatchObject({
      allowed: false,
      code: 'permission',
    })
    expect(authorise(actor('owner'), unknown, { fleetId: 'flt_one' })).toMatchObject({
      allowed: false,
      code: 'permission',
    })
  })

  test('says in a denial who may be asked', () => {
    const decision = authorise(actor('viewer'), 'machine.exec', { fleetId: 'flt_one' })
    expect(decision).toMatchObject({ reason: expect.stringContaining('The role viewer may not machine.exec') })
  })
})
