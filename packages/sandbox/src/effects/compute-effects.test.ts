
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startOverlays } from '../testing/test-view.ts'
import { computeEffects } from './compute-effects.ts'

test('a', async () => {
  for (const user of [false, true]) {
    await using overlays = await startOverlays({ user })
    const root = overlays.folder()
    await overlays.ask({ shell: 'mkdir -p d/s; echo x>d/x; echo y>d/s/y; for i in a b c e f; do echo $i > $i; done; mkdir gone; touch gone/1', directory: root })
    const { view, shell } = await overlays.view(root)
    await shell('mv d dd; echo more>>dd/x; rm a; echo b2>>b; chmod 600 c; rm e; mkdir e; mv f ff; rm -r gone; echo new>new; touch -d 2001-01-01 ff')
    const list = await computeEffects(view, { diffs: { files: 0, fileBytes: 1, diffBytes: 1, totalBytes: 1 } })
    expect(list.effects.map((e) => `${e.kind} ${e.path.replace(root, '')} ${e.from?.replace(root, '') ?? ''}`)).toEqual([])
  }
})
