import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { RealDisk } from '../disk/real-disk.ts'
import { hasOverlays, overlayKinds, startOverlays } from '../testing/test-view.ts'
import { computeEffects } from './compute-effects.ts'

describe.runIf(hasOverlays).each(overlayKinds)('another mount, as an ordinary user: $user', ({ user }) => {
  test('is told from a directory, a file and a link by the mount itself, not by its device', async () => {
    await using overlays = await startOverlays({ user })
    const disk = overlays.folder()
    await overlays.ask({ shell: 'mkdir -p d mounted; touch d/f; ln -s ../mounted d/link', directory: disk })
    await overlays.ask({ tmpfs: { at: join(disk, 'mounted'), bytes: 1_048_576 } })
    await overlays.ask({ shell: 'mkdir mounted/in', directory: disk })
    using real = new RealDisk(overlays.seen(disk))
    const mounts = ['d', 'd/f', 'd/link', 'mounted', 'none'].filter((path) => real.isMount(Buffer.from(path)))
    expect(mounts).toEqual(['mounted'])
  })

  test('is left alone and hides nothing of what is beside it', async () => {
    await using overlays = await startOverlays({ user })
    const disk = overlays.folder()
    await overlays.ask({ shell: 'mkdir mounted; touch f', directory: disk })
    const { view, shell } = await overlays.view(disk)
    await shell('rmdir mounted; rm f')
    await overlays.ask({ tmpfs: { at: join(disk, 'mounted'), bytes: 1_048_576 } })
    const layers = view.layers.map((layer) => ({ ...layer, root: overlays.seen(layer.root) }))
    const { effects, unpreviewable } = await computeEffects({ ...view, layers })
    expect(effects.map(({ kind, path }) => `${kind} ${path.slice(overlays.seen(disk).length)}`)).toEqual(['deleted /f'])
    expect(unpreviewable).toEqual([])
  })
})
