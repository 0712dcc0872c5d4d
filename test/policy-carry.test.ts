import { compilePolicy, decide } from '@cmdop/policy'
import { expect, test } from 'vitest'
import { CarriedState } from '../packages/agent/src/run/carried-state.ts'

const policy = compilePolicy({})
const decisionOf = (call: { readonly command: string; readonly env: Record<string, string | null> }) =>
  decide(policy, { tool: 'exec', principalKind: 'ai', cwd: '/srv', ...call }).decision

test.each([{}, { own: { LANG: 'C' } }, { readOnly: true }, { own: { LANG: 'C' }, readOnly: true }])(
  'what an operator carries from one command to the next is none of the policy: %j',
  (options) => {
    const carried = new CarriedState()
    expect(decisionOf(carried.wrap('ls -l', options))).toBe('allow')
    expect(decisionOf(carried.wrap('rm x', options))).toBe('ask')
  },
)

test('anything else in its place is asked about', () => {
  const { command, env } = new CarriedState().wrap('ls')
  const carry = String(env['CMDOP_CARRY'])
  expect(decisionOf({ command, env: { ...env, CMDOP_CARRY: 'rm x' } })).toBe('ask')
  expect(decisionOf({ command, env: { ...env, CMDOP_CARRY: `${carry}; rm x` } })).toBe('ask')
  expect(decisionOf({ command, env: { ...env, CMDOP_CARRY: `rm x; ${carry}` } })).toBe('ask')
  expect(decisionOf({ command, env: { ...env, CMDOP_CARRY: carry.replace('umask 077', 'rm x') } })).toBe('ask')
  expect(decisionOf({ command, env: { ...env, CMDOP_CARRY_FILE: '/tmp/evil' } })).toBe('ask')
})
