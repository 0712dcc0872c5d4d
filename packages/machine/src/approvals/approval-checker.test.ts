import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Approval, approvableText, type ApprovableAction, isCmdopError, type Open } from '@cmdop/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PermitChecker } from '../permit-checker.ts'
import { createTestApprovals } from '../testing/test-approvals.ts'
import { createTestRelay } from '../testing/test-relay.ts'

const relay = createTestRelay()
let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmdop-approvals-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Said here once more: not what the machine under test makes of it. */
function digestOf(change: Partial<ApprovableAction> = {}): string {
  const none = { params: null, environment: [], words: [], files: [], restrictions: {}, effectHash: null }
  const command = ['touch', '/srv/x']
  const action: ApprovableAction = { version: 1, machineId: 'mch_one', method: 'exec', command, cwd: folder, ...none }
  return sha256(approvableText({ ...action, ...change }))
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** A call that people have to have approved, with the approval that is given. */
function called(approval: Open['approval'], params: Open['params'] = { command: ['touch', '/srv/x'] }): Open {
  const open = relay.signed({ params }, { approvalId: 'apr_one' })
  return approval === undefined ? open : { ...open, approval }
}

/** `taken`, or why the machine runs nothing. */
async function outcome(open: Open, checker = createTestApprovals(relay.options, folder)): Promise<string> {
  const permit = new PermitChecker(relay.options).take(open)
  try {
    await checker.check(open, permit)
    return 'taken'
  } catch (error) {
    expect(error).toMatchObject({ code: 'approval_void', retryable: false })
    return isCmdopError(error) ? error.message : ''
  }
}

describe('an approval', () => {
  test('of the pinned relay for exactly what would run is taken', async () => {
    expect(await outcome(called(relay.approved(digestOf())))).toBe('taken')
  })

  test('that is missing is refused', async () => {
    expect(await outcome(called(undefined))).toContain('is missing')
  })

  test('of another key is refused, whatever it says', async () => {
    expect(await outcome(called(createTestRelay().approved(digestOf())))).toContain('is not signed by the relay')
  })

  test('whose text was changed after signing is refused', async () => {
    const { body, signature } = relay.approved(digestOf({ command: ['true'] }))
    const forged = { body: body.replace(digestOf({ command: ['true'] }), digestOf()), signature }
    expect(forged.body).not.toBe(body)
    expect(await outcome(called(forged))).toContain('is not signed by the relay')
  })

  test('that is signed as something else is refused', async () => {
    const { permit } = relay.signed({})
    expect(await outcome(called(permit))).toContain('is not signed by the relay')
  })

  const changes: [string, Partial<Approval>, string][] = [
    ['for another machine', { machineId: 'mch_two' }, 'is for another machine'],
    ['of another fleet', { fleetId: 'flt_two' }, 'is of another fleet or relay'],
    ['of another relay', { relayId: 'rly_two' }, 'is of another fleet or relay'],
    ['of another plan than its permit', { approvalId: 'apr_two' }, 'is not the one that the permit is for'],
    ['for another requester', { requesterId: 'prn_two' }, 'is for another requester'],
    ['for an operator that acts for the requester', { requesterKind: 'ai' }, 'is for another requester'],
    ['that has expired', { expiresAt: Date.now() - 1 }, 'has expired'],
    ['of a newer form', { version: 2 } as unknown as Partial<Approval>, 'has a form that this daemon does not know'],
  ]
  for (const [what, change, message] of changes)
    test(`${what} is refused`, async () =>
      expect(await outcome(called(relay.approved(digestOf(), change)))).toContain(message))

  test('for anything else than would run now is refused', async () => {
    const others: Partial<ApprovableAction>[] = [
      { command: ['touch', '/srv/y'] },
      { command: 'touch /srv/x' },
      { cwd: '/' },
      { machineId: 'mch_two' },
      { restrictions: { readOnly: true } },
      { environment: [{ name: 'A', sha256: null }] },
      { files: [{ path: '/srv/x', identity: '0' }] },
      { words: ['x'] },
    ]
    for (const other of others)
      expect(await outcome(called(relay.approved(digestOf(other)))), JSON.stringify(other)).toContain('something else')
  })

  test('is for its files as they were', async () => {
    const path = join(folder, 'deploy.sh')
    await writeFile(path, 'echo good')
    const command = ['sh', 'deploy.sh']
    const words = ['deploy.sh']
    const digest = digestOf({ command, words, files: [{ path, identity: sha256('echo good') }] })
    const open = () => called(relay.approved(digest, { words }), { command })
    expect(await outcome(open())).toBe('taken')
    await writeFile(path, 'echo bad!')
    expect(await outcome(open())).toContain('something else')
  })

  test('is taken once, by another daemon on the same data too', async () => {
    const approval = relay.approved(digestOf())
    const checker = createTestApprovals(relay.options, folder)
    const outcomes = await Promise.all([1, 2, 3].map(() => outcome(called(approval), checker)))
    expect(outcomes.toSorted()).toEqual([...Array<string>(2).fill(expect.stringContaining('used before')), 'taken'])
    expect(await outcome(called(approval))).toContain('used before')
  })

  test('that was refused for something else can still be used', async () => {
    const approval = relay.approved(digestOf())
    expect(await outcome(called(approval, { command: ['reboot'] }))).toContain('something else')
    expect(await outcome(called(approval))).toBe('taken')
  })
})
