import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { recover } from '../apply/recover.ts'
import { computeEffects } from '../effects/compute-effects.ts'
import type { ApplyRequest } from './apply-process.ts'
import type { OverlayWorld } from './test-view.ts'
import { removeFolder } from './test-view.ts'
import { treeOf } from './tree-of.ts'

/** A disk on which every kind of step has something to do. */
const disk =
  'mkdir -p d/s gone/deep ro kept; echo x > d/x; echo y > d/s/y; for i in a b c e f g h l; do echo $i > $i; done; ln l kept/l2; ' +
  'touch gone/1 gone/deep/2; echo r > ro/r; chmod 500 ro; ln -s a link; echo long content > kept/log'
const commands =
  'mv d dd; echo more >> dd/x; rm a; echo b2 >> b; chmod 600 c; rm e; mkdir e; echo in > e/in; mv f ff; rm -r gone; echo new > new; ' +
  'mv g t; mv h g; mv t h; ln -s b sym; ln new new2; ln b bb; rm kept/l2; chmod 700 ro; rm ro/r; touch ro/n; chmod 500 ro; rm link; mkdir link; echo l >> kept/log'

/** What becomes of an apply, an undo, or a recovery of either, when the process is killed before each `every`th of its writes. */
export async function killAtSteps(
  overlays: OverlayWorld,
  action: 'apply' | 'undo' | 'recover',
  every: number,
): Promise<number> {
  let kills = 0
  for (let killAt = 1; ; killAt += every) {
    const world = await makeWorld(overlays)
    if (action === 'undo') run({ ...world.request, action: 'apply', killAt: 0 })
    const applied = all(world.disk)
    // A recovery is tried on an apply that died in the middle.
    if (action === 'recover') expect(run({ ...world.request, action: 'apply', killAt: 40 })).toBe('SIGKILL')
    const signal = run({ ...world.request, action, killAt })
    const recovered = await recover({ journals: world.request.journals })
    expect(recovered.flatMap(({ leftAlone }) => leftAlone)).toEqual([])
    const now = all(world.disk)
    if (action === 'apply' && now.join() !== world.before.join()) {
      expect(treeOf(world.disk, { links: false }).join('\n')).toBe(world.shown)
      expect(recovered).toEqual([])
    } else if (action === 'undo' && now.join() !== world.before.join()) {
      expect(now).toEqual(applied)
      expect(signal).toBe('SIGKILL')
    } else expect(now).toEqual(world.before)
    world.remove()
    if (signal === null) return kills
    kills++
  }
}

async function makeWorld(overlays: OverlayWorld) {
  const folder = overlays.folder()
  const path = join(folder, 'disk')
  await overlays.ask({ shell: `mkdir disk && cd disk && ${disk}`, directory: folder })
  const before = treeOf(path, { times: 'all', inodes: true })
  const { view, shell, tree } = await overlays.view(path)
  await shell(commands)
  const shown = await tree()
  const { hash } = await computeEffects(view)
  const request = { view, hash, journals: join(folder, 'journals') } satisfies Partial<ApplyRequest>
  return { disk: path, before, shown, request, remove: () => removeFolder(Buffer.from(folder)) }
}

function all(disk: string): string[] {
  return treeOf(disk, { times: 'all', inodes: true })
}

function run(request: ApplyRequest): NodeJS.Signals | null {
  const script = fileURLToPath(new URL('apply-process.ts', import.meta.url))
  const { status, signal, stderr } = spawnSync(
    process.execPath,
    ['--conditions=@cmdop/source', script, JSON.stringify(request)],
    { encoding: 'utf8' },
  )
  if (signal === null && status !== 0) throw new Error(stderr)
  return signal
}
