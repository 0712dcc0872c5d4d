import { execFileSync } from 'node:child_process'
import {
  existsSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { bootId } from '../disk/boot-id.ts'
import { computeEffects } from '../effects/compute-effects.ts'
import { type OverlayWorld, hasOverlays, overlayKinds, startOverlays } from '../testing/test-view.ts'
import { treeOf } from '../testing/tree-of.ts'
import { applyEffect } from './apply-effect.ts'
import { pruneJournals } from './prune-journals.ts'
import { recover } from './recover.ts'
import { undoEffect } from './undo-effect.ts'

async function prepare(overlays: OverlayWorld, make: string) {
  const folder = overlays.folder()
  const disk = join(folder, 'disk')
  await overlays.ask({ shell: `mkdir disk && cd disk && ${make}`, directory: folder })
  const journals = join(folder, 'journals')
  const run = async (commands: string) => {
    const shown = await overlays.view(disk)
    await shown.shell(commands)
    const { hash } = await computeEffects(shown.view)
    return {
      ...shown,
      hash,
      apply: () => applyEffect(shown.view, hash, { journals }),
      undo: () => undoEffect(shown.view.id, { journals }),
    }
  }
  return { disk, journals, run, all: () => treeOf(disk, { times: 'all', inodes: true }) }
}

const kinds = ['file', 'directory', 'full directory', 'symlink', 'fifo'] as const
const make = {
  file: 'echo f > x',
  directory: 'mkdir x',
  'full directory': 'mkdir -p x/d; echo f > x/d/f',
  symlink: 'ln -s to x',
  fifo: 'mkfifo x',
}
const matrix = kinds.flatMap((from) => kinds.filter((to) => to !== from).map((to) => ({ from, to })))

describe.runIf(hasOverlays).each(overlayKinds)('apply, as an ordinary user: $user', ({ user }) => {
  test('every type of entry is replaced by every other, and comes back', async () => {
    await using overlays = await startOverlays({ user })
    const { disk, run, all } = await prepare(
      overlays,
      matrix.map(({ from }, index) => `(mkdir ${index}; cd ${index}; ${make[from]})`).join('; '),
    )
    const before = all()
    const { tree, apply, undo } = await run(
      matrix.map(({ to }, index) => `(cd ${index}; rm -r x; ${make[to]})`).join('; '),
    )
    const shown = await tree()
    await apply()
    expect(treeOf(disk, { links: false }).join('\n')).toBe(shown)
    await undo()
    expect(all()).toEqual(before)
  })

  test('of two transactions on one file the second is refused, with the path, and changes nothing', async () => {
    await using overlays = await startOverlays({ user })
    const { disk, run, all } = await prepare(overlays, 'echo 1 > f; echo other > g')
    const [first, second] = [await run('echo one >> f'), await run('echo two >> f; echo two > g')]
    await first.apply()
    const between = all()
    await expect(second.apply()).rejects.toMatchObject({
      code: 'effect_conflict',
      details: { paths: [join(disk, 'f')] },
    })
    expect(all()).toEqual(between)
    await first.undo()
    expect(readFileSync(join(disk, 'f'), 'utf8')).toBe('1\n')
  })

  test('another hash than that of the effect is refused', async () => {
    await using overlays = await startOverlays({ user })
    const { journals, run } = await prepare(overlays, 'echo 1 > f')
    const { view, shell, hash } = await run('echo one >> f')
    await shell('echo more >> f')
    await expect(applyEffect(view, hash, { journals })).rejects.toMatchObject({ code: 'effect_conflict' })
  })

  test.each([
    [
      'a file that is new in a deleted directory',
      'rm -r d',
      (disk: string) => writeFileSync(join(disk, 'd', 'new'), ''),
      ['d', 'd/new'],
    ],
    ['a path that exists by now', 'echo mine > n', (disk: string) => writeFileSync(join(disk, 'n'), 'theirs'), ['n']],
    ['a deleted file that was changed', 'rm f', (disk: string) => writeFileSync(join(disk, 'f'), 'theirs'), ['f']],
    ['a file that was replaced', 'echo mine > f', (disk: string) => replaceFile(join(disk, 'f')), ['f']],
  ])('refuses %s', async (_, commands, change, paths) => {
    await using overlays = await startOverlays({ user })
    const { disk, run, all } = await prepare(overlays, 'mkdir d; echo 1 > d/x; echo 1 > f')
    const { apply } = await run(commands)
    change(disk)
    const between = all()
    await expect(apply()).rejects.toMatchObject({
      code: 'effect_conflict',
      details: { paths: paths.map((path) => join(disk, path)) },
    })
    expect(all()).toEqual(between)
  })

  test('never goes through a symbolic link that came to be on the way', async () => {
    await using overlays = await startOverlays({ user })
    const { disk, run } = await prepare(overlays, 'mkdir d; echo 1 > d/x; mkdir elsewhere; echo 1 > elsewhere/x')
    const { apply } = await run('echo mine > d/n; rm d/x')
    const outside = overlays.folder()
    writeFileSync(join(outside, 'x'), 'outside')
    renameSync(join(disk, 'd'), join(disk, 'old'))
    symlinkSync(outside, join(disk, 'd'))
    await expect(apply()).rejects.toMatchObject({ code: 'effect_conflict' })
    expect(readdirSync(outside)).toEqual(['x'])
    expect(readFileSync(join(outside, 'x'), 'utf8')).toBe('outside')
  })

  test('an undo is refused when something was changed since', async () => {
    await using overlays = await startOverlays({ user })
    const { disk, run } = await prepare(overlays, 'echo 1 > f; mkdir d')
    const { apply, undo } = await run('echo one >> f; mkdir n')
    await apply()
    writeFileSync(join(disk, 'n', 'theirs'), '')
    await expect(undo()).rejects.toMatchObject({
      code: 'effect_conflict',
      details: { paths: [join(disk, 'n', 'theirs')] },
    })
    rmSync(join(disk, 'n', 'theirs'))
    writeFileSync(join(disk, 'f'), 'theirs')
    await expect(undo()).rejects.toMatchObject({ code: 'effect_conflict', details: { paths: [join(disk, 'f')] } })
    await expect(undoEffect('nothing', { journals: overlays.folder() })).rejects.toMatchObject({ code: 'not_found' })
  })

  test('holes stay holes, and a file of which the end was written is not copied whole', async () => {
    await using overlays = await startOverlays({ user })
    const { disk, run, all } = await prepare(
      overlays,
      'truncate -s 32M sparse; echo start | dd of=sparse conv=notrunc status=none',
    )
    const before = all().length
    const { apply, undo } = await run(
      'echo end >> sparse; truncate -s 64M new; echo x | dd of=new bs=1 seek=30000000 conv=notrunc status=none',
    )
    await apply()
    expect(statSync(join(disk, 'sparse')).size).toBe(32 * 1024 ** 2 + 4)
    expect(statSync(join(disk, 'sparse')).blocks).toBeLessThan(1_000)
    expect(statSync(join(disk, 'new')).blocks).toBeLessThan(1_000)
    await undo()
    expect(statSync(join(disk, 'sparse')).size).toBe(32 * 1024 ** 2)
    expect(all().length).toBe(before)
  })

  test('journals are kept within their bounds, and the newest whatever they are', async () => {
    await using overlays = await startOverlays({ user })
    const { disk, journals, run } = await prepare(
      overlays,
      'head -c 100000 /dev/zero > a; head -c 100000 /dev/zero > b',
    )
    const [one, two] = [await run('rm a'), await run('rm b')]
    await one.apply()
    await two.apply()
    expect(await pruneJournals(journals, { maxBytes: 150_000 })).toEqual([one.view.id])
    await expect(one.undo()).rejects.toMatchObject({ code: 'not_found' })
    await two.undo()
    expect(readdirSync(disk)).toEqual(['b'])
    const [third, fourth, last] = [await run('echo c > c'), await run('echo d > d'), await run('echo > b')]
    for (const { apply } of [third, fourth, last]) await apply()
    expect(await pruneJournals(journals, { maxCount: 2 })).toEqual([third.view.id])
    expect(await pruneJournals(journals, { maxAgeMs: 1000 }, Date.now() + 5000)).toEqual([fourth.view.id])
    expect(await pruneJournals(journals, { maxAgeMs: 1000, maxBytes: 1, maxCount: 0 }, Date.now() + 5000)).toEqual([])
    await last.undo()
    expect(statSync(join(disk, 'b')).size).toBe(100_000)
    expect(readdirSync(journals)).toEqual([])
  })

  test('access lists, capabilities and other attributes are carried over and taken back', async () => {
    await using overlays = await startOverlays({ user })
    const { disk, run, all } = await prepare(overlays, 'echo a > a; echo b > b; mkdir d')
    const before = all()
    const acl =
      'import os,struct,sys; os.setxattr(sys.argv[1], sys.argv[2], struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in [(1,6,4294967295),(2,4,1),(4,4,4294967295),(16,6,4294967295),(32,0,4294967295)]))'
    // An ordinary user cannot name another user in a view of theirs, nor give capabilities.
    const rooted = user
      ? ''
      : `python3 -c '${acl}' a system.posix_acl_access; python3 -c '${acl}' d system.posix_acl_default; setcap cap_net_raw+ep b 2>/dev/null || /usr/sbin/setcap cap_net_raw+ep b; touch d/inherits; `
    const { apply, undo, tree } = await run(
      `${rooted}python3 -c 'import os; os.setxattr("a", "user.note", b"x")'; touch -d 2001-02-03T04:05:06.123456789 b`,
    )
    const shown = await tree()
    await apply()
    expect(treeOf(disk, { links: false }).join('\n')).toBe(shown)
    if (!user)
      expect(
        execFileSync('getcap', [join(disk, 'b')], { encoding: 'utf8', env: { PATH: '/usr/sbin:/sbin:/usr/bin' } }),
      ).toContain('cap_net_raw')
    expect(statSync(join(disk, 'b'), { bigint: true }).mtimeNs % 1_000_000_000n).toBe(123_456_789n)
    await undo()
    expect(all()).toEqual(before)
  })

  test('when a step fails, what was done before is taken back and nothing is left over', async () => {
    await using overlays = await startOverlays({ user })
    const { disk, journals, run, all } = await prepare(overlays, 'echo a > a; mkdir d; echo x > d/x; echo z > z')
    const { view, hash } = await run('rm -r d; echo more >> a; mkdir z.d; mv z z.d; echo n > n')
    const before = all()
    const steps: string[] = []
    const failing = (at: number) => ({
      journals,
      onStep: (step: string) => {
        if (steps.push(step) === at) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
      },
    })
    for (let at = 1; at < 12; at++) {
      steps.length = 0
      const outcome = await applyEffect(view, hash, failing(at)).catch((error: unknown) => error)
      // A file that was written and taken back has another change time, which a further try sees.
      expect(outcome).toMatchObject({ code: expect.stringMatching(/no_space|effect_conflict/) as string })
      expect(all()).toEqual(before)
      expect(existsSync(journals) ? readdirSync(journals) : []).toEqual([])
    }
    expect(readFileSync(join(disk, 'a'), 'utf8')).toBe('a\n')
    expect(await recover({ journals })).toEqual([])
  })

  test('what commands made unreadable for their own user is shown and applied all the same', async () => {
    await using overlays = await startOverlays({ user })
    const { disk, run, all } = await prepare(overlays, 'echo a > a; mkdir d; echo x > d/x')
    const before = all()
    const { view, apply, undo } = await run('mkdir n; echo secret > n/f; chmod 000 n/f n; echo more >> a; chmod 000 a')
    const { hash } = await computeEffects(view)
    expect((await computeEffects(view)).hash).toBe(hash)
    await apply()
    expect(statSync(join(disk, 'n')).mode & 0o777).toBe(0)
    expect(statSync(join(disk, 'a')).mode & 0o777).toBe(0)
    await overlays.ask({ shell: 'chmod 700 n; test "$(stat -c %a n/f)" = 0; chmod 000 n', directory: disk })
    await undo()
    expect(all()).toEqual(before)
  })

  test('when the view has no room left, what was written is shown and applied as it is', async () => {
    await using overlays = await startOverlays({ user })
    const { disk, journals } = await prepare(overlays, 'echo a > a')
    const state = overlays.folder()
    await overlays.ask({ tmpfs: { at: state, bytes: 1_048_576 } })
    await overlays.ask({ shell: 'mkdir u w m; chmod 755 u', directory: state })
    const marker = join(overlays.folder(), 'marker')
    writeFileSync(marker, bootId())
    const [upper, work, merged] = ['u', 'w', 'm'].map((name) => join(state, name)) as [string, string, string]
    await overlays.ask({ mount: { root: disk, upper, work, merged, user } })
    await overlays.ask({ shell: '! head -c 3000000 /dev/zero > big; echo a2 >> a || true', directory: merged })
    const view = {
      id: 'full',
      folder: state,
      layers: [{ root: disk, upper: overlays.seen(upper) }],
      flavour: user ? 'user' : 'trusted',
      marker,
    } as const
    const { hash, effects } = await computeEffects(view)
    const big = effects.find(({ path }) => path.endsWith('big'))
    expect(big?.after?.size).toBeLessThan(2_000_000)
    await applyEffect(view, hash, { journals })
    expect(statSync(join(disk, 'big')).size).toBe(big?.after?.size)
  })

  test('a view of two layers is one effect, with what moved from one to the other', async () => {
    await using overlays = await startOverlays({ user })
    const [one, other] = [await prepare(overlays, 'echo moves > f; echo stays > s'), await prepare(overlays, 'mkdir d')]
    const [from, to] = [await one.run('rm f; echo more >> s'), await other.run('echo moves > d/f')]
    const view = { ...from.view, layers: [...from.view.layers, ...to.view.layers] }
    const { hash, effects } = await computeEffects(view)
    const moved = { kind: 'moved', from: join(one.disk, 'f'), path: join(other.disk, 'd/f') }
    expect(effects).toEqual(
      expect.arrayContaining([expect.objectContaining(moved), expect.objectContaining({ kind: 'modified' })]),
    )
    const before = [one.all(), other.all()]
    await applyEffect(view, hash, { journals: one.journals })
    expect([readdirSync(one.disk), readFileSync(join(other.disk, 'd/f'), 'utf8')]).toEqual([['s'], 'moves\n'])
    await undoEffect(view.id, { journals: one.journals })
    expect([one.all(), other.all()]).toEqual(before)
  })

  test('an effect on the folder of the journals themselves is refused', async () => {
    await using overlays = await startOverlays({ user })
    const { disk, run } = await prepare(overlays, 'mkdir journals; echo x > journals/x')
    const { view, hash } = await run('rm journals/x')
    const refused = applyEffect(view, hash, { journals: join(disk, 'journals') })
    await expect(refused).rejects.toMatchObject({
      code: 'effect_conflict',
      message: expect.stringContaining('journals are kept') as string,
    })
  })

  test('three hundred files are applied and taken back', async () => {
    await using overlays = await startOverlays({ user })
    const { disk, run, all } = await prepare(overlays, 'mkdir d e; for i in $(seq 100); do echo $i > d/$i; done')
    const before = all()
    const { apply, undo, tree } = await run(
      'for i in $(seq 50); do echo more >> d/$i; rm d/$((i + 50)); done; for i in $(seq 200); do echo new $i > e/$i; done',
    )
    const shown = await tree()
    await apply()
    expect(treeOf(disk, { links: false }).join('\n')).toBe(shown)
    await undo()
    expect(all()).toEqual(before)
  })
})

test.runIf(hasOverlays)(
  'when the disk has no room left, nothing is applied; old versions are kept on the mount they come from',
  async () => {
    await using overlays = await startOverlays()
    const place = overlays.folder()
    await overlays.ask({ tmpfs: { at: place, bytes: 1_048_576 } })
    await overlays.ask({ shell: 'mkdir disk; echo a > disk/a; echo b > disk/b', directory: place })
    const disk = join(place, 'disk')
    const seen = overlays.seen(disk)
    const journals = join(overlays.folder(), 'journals')
    const all = () => treeOf(seen, { times: 'all', inodes: true })
    const before = all()
    const run = async (commands: string) => {
      const { view, shell } = await overlays.view(disk)
      await shell(commands)
      return { view, hash: (await computeEffects(view)).hash }
    }
    const large = await run('head -c 3000000 /dev/zero > big; rm a; echo more >> b')
    await expect(applyEffect(large.view, large.hash, { journals })).rejects.toMatchObject({ code: 'no_space' })
    expect(all()).toEqual(before)
    const small = await run('rm a; echo more >> b; echo n > n')
    await applyEffect(small.view, small.hash, { journals })
    expect(readdirSync(seen).sort()).toEqual([`.cmdop-effect-${small.view.id}-0`, 'b', 'n'])
    await undoEffect(small.view.id, { journals })
    expect(all()).toEqual(before)
  },
)

function replaceFile(path: string): void {
  writeFileSync(`${path}.next`, 'theirs')
  renameSync(`${path}.next`, path)
}
