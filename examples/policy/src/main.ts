/** Rules of a fleet, and what becomes of some commands under them. Nothing is run. */
import assert from 'node:assert/strict'
import { compilePolicy, decide, renderDecision, simulate } from '@cmdop/policy'

// A rule says of itself what it fits and what not; that is run when it is loaded.
const policy = compilePolicy({
  fleet: {
    mode: 'default',
    rules: [
      {
        id: 'restart-web',
        decision: 'allow',
        command: { name: 'systemctl', args: ['restart', 'web-*'] },
        match: ['sudo systemctl restart web-1'],
        notMatch: ['systemctl restart db', 'systemctl restart web-1; rm -rf /srv'],
      },
      {
        id: 'keep-data',
        decision: 'deny',
        reason: 'Nobody deletes data from here.',
        class: ['delete'],
        paths: ['/srv/data/**'],
        match: ['rm /srv/data/x', 'rm -rf /srv', 'file.delete /srv/data'],
        notMatch: ['ls /srv/data', 'rm /srv/app/x'],
      },
    ],
  },
})

// What reads is allowed, what a rule allows too; the rest is asked about, and a wrapper hides nothing.
const rows = simulate(policy, [
  'journalctl -u web-1 | grep -c ERROR',
  'sudo systemctl restart web-1',
  'systemctl restart "$UNIT"',
  'find /srv/app -name "*.tmp" | xargs sh -c \'rm "$@"\' _',
  'ssh web-1 "rm -rf /srv/data"',
])
assert.deepEqual(
  rows.map(({ decided }) => [decided.decision, decided.rule]),
  [
    ['allow', 'class:read'],
    ['allow', 'restart-web'],
    ['ask', 'mode:default'],
    ['ask', 'mode:default'],
    ['deny', 'keep-data'],
  ],
)

// What the kernel holds needs nobody: under dryRun nothing is deleted.
const call = { tool: 'exec', principalKind: 'ai', command: 'rm -rf /srv/app/tmp' } as const
assert.equal(decide(policy, call).decision, 'ask')
assert.equal(decide(policy, { ...call, restrictions: { dryRun: true } }).decision, 'allow')

assert.match(renderDecision(decide(policy, call)), /^ask: rm deletes files\.\nrule: mode:default\nclass: delete\n/)
