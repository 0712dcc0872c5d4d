import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { hasOverlays, overlayKinds, startOverlays } from '../testing/test-view.ts'
import { computeEffects } from './compute-effects.ts'
import { contentHash } from './content.ts'

describe.runIf(hasOverlays).each(overlayKinds)('what an effect reads, as an ordinary user: $user', ({ user }) => {
  test('a directory in the place of a symbolic link shows nothing of where the link leads', async () => {
    await using overlays = await startOverlays({ user })
    const disk = overlays.folder()
    await overlays.ask({ shell: 'mkdir -p home secret/sub; ln -s ../secret home/d', directory: disk })
    writeFileSync(join(disk, 'secret', 'file'), 'TOP SECRET\n')
    writeFileSync(join(disk, 'secret', 'sub', 'file'), 'TOP SECRET\n')
    const { view, shell } = await overlays.view(join(disk, 'home'))
    await shell('rm d; mkdir -p d/sub; echo x > d/file; echo x > d/sub/file')
    const list = await computeEffects(view)
    expect(JSON.stringify(list)).not.toContain('SECRET')
    expect(list.effects.map(({ kind, path, before }) => [kind, path.slice(disk.length), before?.type])).toEqual([
      ['replaced', '/home/d', 'symlink'],
      ['added', '/home/d/file', undefined],
      ['added', '/home/d/sub', undefined],
      ['added', '/home/d/sub/file', undefined],
    ])
  })

  test('a directory of the view that becomes a symbolic link while it is looked at shows nothing of where it leads', async () => {
    await using overlays = await startOverlays({ user })
    const [disk, outside] = [overlays.folder(), overlays.folder()]
    writeFileSync(join(outside, 'file'), 'TOP SECRET\n')
    const { view, shell } = await overlays.view(disk)
    await shell('mkdir d; echo x > d/file')
    const upper = view.layers[0]?.upper ?? ''
    const source = { where: 'upper', root: upper, path: Buffer.from('d/file') } as const
    await contentHash(source, 2)
    renameSync(join(upper, 'd'), join(upper, 'old'))
    symlinkSync(outside, join(upper, 'd'))
    await expect(contentHash(source, 2)).rejects.toMatchObject({ code: 'effect_conflict' })
  })
})

test('a file that became a pipe or a link is not waited for, and not read', async () => {
  await using overlays = await startOverlays()
  const root = overlays.folder()
  execFileSync('mkfifo', [join(root, 'pipe')])
  symlinkSync('/etc/passwd', join(root, 'link'))
  mkdirSync(join(root, 'directory'))
  for (const name of ['pipe', 'link', 'directory']) {
    const reading = contentHash({ where: 'upper', root, path: Buffer.from(name) }, 1)
    await expect(reading).rejects.toMatchObject({ code: 'effect_conflict' })
  }
})

test.runIf(process.getuid?.() === 0)('a diff shows an old content only to who could read it', async () => {
  await using overlays = await startOverlays({ user: true })
  const disk = overlays.folder()
  for (const [name, mode] of [
    ['closed', 0o600],
    ['open', 0o644],
  ] as const) {
    writeFileSync(join(disk, name), 'OLD CONTENT\n')
    chmodSync(join(disk, name), mode)
  }
  const { view, shell } = await overlays.view(disk)
  await shell('for i in closed open; do rm -f $i; echo x > $i; done')
  const { effects } = await computeEffects(view)
  const shown = effects.map(({ path, diff }) => [path.slice(disk.length + 1), diff?.includes('-OLD CONTENT')])
  expect(shown).toEqual([
    ['closed', undefined],
    ['open', true],
  ])
})
