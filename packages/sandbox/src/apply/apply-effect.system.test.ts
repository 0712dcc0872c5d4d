import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { computeEffects } from '../effects/compute-effects.ts'
import { hasOverlays, overlayKinds, startOverlays } from '../testing/test-view.ts'
import { treeOf } from '../testing/tree-of.ts'
import { applyEffect } from './apply-effect.ts'
import { undoEffect } from './undo-effect.ts'

describe.runIf(hasOverlays).each(overlayKinds)('as an ordinary user: $user', ({ user }) => {
  test('what is applied is what the view showed, and undo gives back what was', async () => {
    await using overlays = await startOverlays({ user })
    const disk = overlays.folder()
    const journals = join(overlays.folder(), 'journals')
    const make =
      'mkdir -p d/s; echo x>d/x; echo y>d/s/y; for i in a b c e f g h; do echo $i > $i; done; mkdir gone; touch gone/1'
    await overlays.ask({ shell: make, directory: disk })
    const before = treeOf(disk, { times: 'all', inodes: true })
    const { view, shell } = await overlays.view(disk)
    await shell(
      'mv d dd; echo more>>dd/x; rm a; echo b2>>b; chmod 600 c; rm e; mkdir e; echo in > e/in; mv f ff; rm -r gone; echo new>new; touch -d 2001-01-01 ff; ' +
        'mv g t; mv h g; mv t h; ln -s b sym; ln new new2; ln b bb; mkfifo pipe',
    )
    const shown = treeOf(view.layers[0]?.upper ?? '')
    expect(shown.length).toBeGreaterThan(3)
    const list = await computeEffects(view)
    const { applied } = await applyEffect(view, list.hash, { journals })
    expect(applied).toBeGreaterThan(10)
    expect(await shell('find . -printf "%P %y %m %s %l %n\n" | grep -v "^ *d" | sort; cat b new e/in dd/x g h')).toBe(
      await overlays.ask({
        shell: 'find . -printf "%P %y %m %s %l %n\n" | grep -v "^ *d" | sort; cat b new e/in dd/x g h',
        directory: disk,
      }),
    )
    await undoEffect(view.id, { journals })
    expect(treeOf(disk, { times: 'all', inodes: true })).toEqual(before)
  })
})
