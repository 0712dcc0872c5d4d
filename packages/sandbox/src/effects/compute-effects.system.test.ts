import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { EffectList } from '@cmdop/protocol'
import { EffectList as EffectListSchema } from '@cmdop/protocol'
import { type OverlayWorld, hasOverlays, overlayKinds, startOverlays } from '../testing/test-view.ts'
import { treeOf } from '../testing/tree-of.ts'
import { type EffectOptions, computeEffects } from './compute-effects.ts'

/** What some commands change on a disk that others made. */
async function effectOf(
  overlays: OverlayWorld,
  { disk: make, commands, ...options }: { disk: string; commands: string } & EffectOptions,
) {
  const disk = overlays.folder()
  await overlays.ask({ shell: make, directory: disk })
  const shown = await overlays.view(disk)
  await shown.shell(commands)
  const list = await computeEffects(shown.view, options)
  const short = (path: string | undefined) => path?.replace(`${disk}/`, '')
  return {
    disk,
    shown,
    list,
    lines: list.effects.map(({ kind, path, from }) => [kind, short(path), short(from)].filter(Boolean).join(' ')),
    short,
  }
}

function rulesOf({ violations }: EffectList, disk: string): string[] {
  return violations.map(({ rule, path }) => `${rule} ${path.replace(`${disk}/`, '')}`)
}

describe.runIf(hasOverlays).each(overlayKinds)('the effect of commands, as an ordinary user: $user', ({ user }) => {
  test('each kind of change is told apart, and the real disk is as it was', async () => {
    await using overlays = await startOverlays({ user })
    const { disk, list, lines } = await effectOf(overlays, {
      disk: 'mkdir -p d/s gone; echo x > d/x; echo y > d/s/y; for i in a b c e f same; do echo content of $i > $i; done; touch gone/1',
      commands:
        'mv d dd; echo more >> dd/x; rm a; echo b2 >> b; chmod 600 c; rm e; mkdir e; mv f ff; rm -r gone; echo new > new; echo t > tmp; rm tmp; cat same > t; cat t > same; rm t; touch -r b same',
    })
    // A user's overlay copies what a directory holds when it is renamed, so a file that is changed after that is another one.
    const changed = user ? ['added dd/x', 'deleted d/x'] : ['moved dd/x d/x']
    const expected = [
      'deleted a',
      'modified b',
      'metadata c',
      'moved dd d',
      'moved dd/s d/s',
      'moved dd/s/y d/s/y',
      'replaced e',
      'moved ff f',
    ]
    expect(lines.sort()).toEqual(
      [...expected, ...changed, 'deleted gone', 'deleted gone/1', 'metadata same', 'added new'].sort(),
    )
    expect(EffectListSchema.parse(list)).toEqual(list)
    expect(readFileSync(join(disk, 'b'), 'utf8')).toBe('content of b\n')
    expect(treeOf(disk).length).toBe(13)
  })

  test('text gets a unified diff, up to the limits; binary content gets none', async () => {
    await using overlays = await startOverlays({ user })
    const { list, disk } = await effectOf(overlays, {
      disk: 'printf "one\\ntwo\\nthree\\n" > text; printf "\\000\\001" > binary',
      commands: 'sed -i s/two/2/ text; printf "\\000\\002" > binary; seq 1 2000 > long; echo small > z',
      diffs: { files: 10, fileBytes: 100_000, diffBytes: 500, totalBytes: 2_000 },
    })
    const diffs = new Map(list.effects.map(({ path, diff }) => [path.replace(`${disk}/`, ''), diff]))
    expect(diffs.get('text')).toContain('-two\n+2\n')
    expect(diffs.get('binary')).toBeUndefined()
    expect(diffs.get('long')?.length).toBeLessThan(600)
    expect(diffs.get('long')).toContain('is cut here')
  })

  test('a large directory that came or went is one line with the number of entries in it', async () => {
    await using overlays = await startOverlays({ user })
    const { lines, list } = await effectOf(overlays, {
      disk: 'mkdir -p old/deep old/.git/hooks; echo old > old/.git/hooks/pre-commit; for i in $(seq 60); do echo $i > old/$i; echo $i > old/deep/$i; done',
      commands:
        'rm -r old; mkdir new; for i in $(seq 150); do echo new $i > new/$i; done; mkdir new/.git new/.git/hooks; echo x > new/.git/hooks/pre-commit',
    })
    expect(lines).toEqual(['added new', 'added new/.git/hooks/pre-commit', 'deleted old'])
    expect(list.effects.map(({ collapsed }) => collapsed)).toEqual([153, undefined, 124])
    expect(list.counts).toEqual({ added: 154, deleted: 125 })
    expect(list.violations.map(({ rule }) => rule)).toEqual(['deferred:git-hook', 'deleted'])
  })

  test('names that are no UTF-8 or hold a newline keep their bytes', async () => {
    await using overlays = await startOverlays({ user })
    const { list } = await effectOf(overlays, {
      disk: 'true',
      commands: `touch "$(printf 'a\\nb')" "$(printf 'x\\377')"`,
    })
    expect(list.effects.map(({ path }) => path.split('/').at(-1))).toEqual(['a\nb', 'x\ufffd'])
    expect(Buffer.from(list.effects[1]?.pathBase64 ?? '', 'base64').at(-1)).toBe(0xff)
  })

  test('the hash is the same for the same view, and another after any change of the view or of what it changes', async () => {
    await using overlays = await startOverlays({ user })
    const { disk, shown, list } = await effectOf(overlays, { disk: 'echo a > a; echo b > b', commands: 'echo a2 > a' })
    const hash = async () => (await computeEffects(shown.view)).hash
    expect(await hash()).toBe(list.hash)
    await shown.shell('echo A2 > a')
    const second = await hash()
    expect(second).not.toBe(list.hash)
    writeFileSync(join(disk, 'b'), 'other')
    expect(await hash()).toBe(second)
    // Neither is a file that others make beside them, although the time of their directory is another then.
    writeFileSync(join(disk, 'theirs'), '')
    expect(await hash()).toBe(second)
    chmodSync(join(disk, 'a'), 0o600)
    expect(await hash()).not.toBe(second)
  })

  test('what noDelete and noOverwrite forbid is named by path and rule', async () => {
    await using overlays = await startOverlays({ user })
    const { disk, list } = await effectOf(overlays, {
      disk: 'for i in gone emptied over type moved onto one two; do echo $i > $i; done; mkdir dir; touch dir/in; mkdir -p r/.git; echo "[core]" > r/.git/config',
      commands:
        'rm gone; : > emptied; echo 2 > over; rm type; ln -s x type; mv moved there; mv one two; rm -r dir; touch onto; ' +
        'echo "[branch \\"alias\\"]" >> r/.git/config; mkdir .ssh; echo key > .ssh/authorized_keys',
    })
    expect(rulesOf(list, disk).sort()).toEqual(
      [
        'deferred:ssh .ssh/authorized_keys',
        'deleted dir',
        'deleted dir/in',
        'deleted gone',
        'deleted one',
        'emptied emptied',
      ].concat(['overwritten over', 'overwritten r/.git/config', 'overwritten two', 'replaced type']),
    )
  })
})
