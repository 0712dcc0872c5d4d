import type { Effect, EffectList } from '@cmdop/protocol'
import { expect, test } from 'vitest'
import { renderEffects } from './render-effects.ts'

const file = { type: 'file', size: 3, mode: 0o644, uid: 0, gid: 0 } as const
const restrictions = { dryRun: true }
const directory = { type: 'directory', size: 0, mode: 0o755, uid: 0, gid: 0 } as const

function list(effects: Effect[], more: Partial<EffectList> = {}): EffectList {
  const sideEffects = { network: 'none', networkAttempts: 0, backgroundKilled: 0 } as const
  return {
    effectId: 'e',
    hash: 'ab'.repeat(32),
    effects,
    counts: { added: effects.length },
    truncated: false,
    unpreviewable: [],
    sideEffects,
    violations: [],
    ...more,
  }
}

test('an effect is a tree with notes, diffs and what it breaks', () => {
  const effects: Effect[] = [
    { kind: 'added', path: '/srv/app', after: directory },
    {
      kind: 'modified',
      path: '/srv/app/conf',
      before: { ...file, size: 1 },
      after: file,
      diff: '--- a\n+++ b\n@@ -1,1 +1,1 @@\n-x\n+y\n',
    },
    { kind: 'moved', path: '/srv/b', from: '/srv/a', before: file, after: file },
    { kind: 'deleted', path: '/var/old', before: directory, collapsed: 120 },
  ]
  const violations = [{ path: '/var/old', rule: 'deleted' }]
  expect(renderEffects(list(effects, { violations }), { restrictions: { noDelete: true } })).toMatchInlineSnapshot(`
    "  /
        srv/
        + app/
          ~ conf  1 -> 3 B
              @@ -1,1 +1,1 @@
              -x
              +y
        > b  from /srv/a
        var/
        - old/  and 120 entries in it  [deleted]

    4 added
    Forbidden here: deleted
    Hash abababababababababababababababababababababababababababababababab"
  `)
})

test('names and contents cannot draw on the screen', () => {
  const evil = '/tmp/\u001b[2J\u202egnp.exe\n+ fake'
  const text = renderEffects(
    list([{ kind: 'added', path: evil, after: file, diff: '--- a\n+++ b\n+\u001b]0;title\u0007\n' }]),
    { restrictions },
  )
  // oxlint-disable-next-line no-control-regex
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/)
  expect(text).toContain(String.raw`\u001b[2J\u202egnp.exe\n+ fake`)
})

test('a long effect is cut to the lines that are asked for', () => {
  const effects = Array.from({ length: 100 }, (_, index): Effect => ({
    kind: 'added',
    path: `/tmp/f${index}`,
    after: file,
  }))
  const text = renderEffects(list(effects), { restrictions, lines: 10 })
  expect(text).toContain('... 92 more lines')
  expect(text.split('\n').length).toBeLessThan(16)
})

test('colours are only there when they are asked for', () => {
  const one = list([{ kind: 'added', path: '/tmp/f', after: file }])
  expect(renderEffects(one, { restrictions })).not.toContain('\u001b')
  expect(renderEffects(one, { restrictions, colour: true })).toContain('\u001b[32m+ f\u001b[0m')
})

test('what is marked is what its own restrictions forbid', () => {
  const one = list([{ kind: 'modified', path: '/tmp/f', before: file, after: file }], {
    violations: [{ path: '/tmp/f', rule: 'overwritten' }],
  })
  expect(renderEffects(one, { restrictions: { noOverwrite: true } })).toContain('[overwritten]')
  for (const others of [{ noDelete: true }, { dryRun: true }])
    expect(renderEffects(one, { restrictions: others })).not.toContain('overwritten')
})
