import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { copyAttributes } from './copy-attributes.ts'
import { StepError } from './libc.ts'
import { MS, bindReadOnly, mount, tmpfs } from './mount-calls.ts'
import type { HostPlan } from './plan.ts'

/** Mounts overlays of one view, and keeps the list of those with an upper directory. */
export class Overlays {
  readonly #state: string
  readonly #isRoot: boolean
  readonly #isCut: boolean
  readonly layers: { root: string; upper: string }[] = []
  #scratch: string | undefined
  #empty: string | undefined
  #count = 0

  constructor({ state, privilege, without }: HostPlan) {
    this.#state = state
    this.#isRoot = privilege === 'root'
    this.#isCut = without?.includes('unix-sockets') !== true
  }

  /** What is below `root` appears at `target`, and changes go to an upper directory. */
  changeable(root: string, target: string): void {
    const upper = this.#mount(root, target, this.#state)
    this.layers.push({ root, upper })
  }

  /** As {@link Overlays.changeable}, with the changes in memory, to vanish with the view. */
  scratch(root: string, target: string): void {
    this.#scratch ??= this.#memory('scratch')
    this.#mount(root, target, this.#scratch)
  }

  /**
   * What is below `root` appears at `target`, read-only. Not a bind mount: through an overlay no socket outside can be
   * connected to and a FIFO is not the one outside.
   */
  readOnly(root: string, target: string): void {
    if (!this.#isCut) return bindReadOnly(root, target)
    this.#empty ??= this.#memory('empty')
    const lower = `lowerdir=${escape(root)}:${escape(this.#empty)}`
    mount('overlay', target, 'overlay', MS.RDONLY | MS.NODEV, this.#isRoot ? lower : `${lower},userxattr`)
  }

  #mount(root: string, target: string, folder: string): string {
    const [upper, work] = ['u', 'w'].map((name) => join(folder, name, String(this.#count))) as [string, string]
    this.#count += 1
    mkdirSync(upper, { recursive: true })
    mkdirSync(work, { recursive: true })
    copyAttributes(root, upper)
    const options = this.#isRoot ? 'index=off,redirect_dir=on,metacopy=on' : 'index=off,userxattr'
    const folders = `lowerdir=${escape(root)},upperdir=${escape(upper)},workdir=${escape(work)}`
    mountOnce(target, `${folders},${options}`)
    return upper
  }

  /** The second lower directory of a read-only overlay must not be within the first. */
  #memory(name: string): string {
    const folder = join(this.#state, name)
    mkdirSync(folder)
    tmpfs(folder, 'mode=0755')
    return folder
  }
}

/** `volatile`, since Linux 5.10: a view does not outlive the machine, so that nothing has to wait for the disk. */
function mountOnce(target: string, options: string): void {
  try {
    mount('overlay', target, 'overlay', MS.NODEV, `${options},volatile`)
  } catch (error) {
    if (!(error instanceof StepError) || error.errno !== 'EINVAL') throw error
    mount('overlay', target, 'overlay', MS.NODEV, options)
  }
}

/** Blanks of the options of overlayfs. */
function escape(path: string): string {
  return path.replaceAll(/[\\:,]/g, String.raw`\$&`)
}
