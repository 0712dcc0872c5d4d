import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { CmdopError } from '@cmdop/protocol'
import { z } from 'zod'
import { writeOwnMtime } from '../disk/attributes.ts'
import { bootId } from '../disk/boot-id.ts'
import { RealDisk } from '../disk/real-disk.ts'
import { removeTree } from '../remove-tree.ts'
import type { View } from '../view.ts'
import { readSealed, writeSealed } from './sealed-file.ts'
import { type Step, decodeStep, encodeStep } from './step.ts'
import { syncTogether } from './sync-files.ts'

/** Of a directory at the root of a layer that is on another mount than the journals. */
const STASH_PREFIX = '.cmdop-effect-'

/** What a journal is of: the first line of its plan, and of `head` while, or since, there is no plan. */
const Head = z.object({
  version: z.literal(1),
  effectId: z.string(),
  hash: z.string(),
  createdAt: z.number(),
  /** Of the kernel: after a loss of power, what was noted but not written through is not known. */
  bootId: z.string(),
  layers: z.array(z.object({ root: z.string(), stash: z.string() })),
})
type Head = z.infer<typeof Head>

/** `left`: entries that others wrote to in the middle. */
type Mark = 'applied' | 'undoing' | 'left'

/**
 * The record of one apply, in a folder of its own: first staged entries, then `plan`, from where on the disk is touched. `applied` says
 * that all is done, `undoing` that it is being taken back. Each of them is whole or counts as not there, and is on the disk before the
 * next step.
 */
export class Journal implements Disposable {
  readonly folder: string
  readonly head: Head
  readonly disks: readonly RealDisk[]
  #progress: number | undefined
  #left: Set<string> | undefined

  constructor(folder: string, head: Head) {
    this.folder = folder
    this.head = head
    this.disks = head.layers.map(({ root }) => new RealDisk(root))
  }

  /** Begins a journal for a view, with a stash on the mount of each layer. */
  static async create(folder: string, view: View, hash: string): Promise<Journal> {
    if (existsSync(folder))
      throw new CmdopError(
        'conflict',
        `The effect ${view.id} was applied already; undo it first, or run the command again.`,
      )
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const layers = view.layers.map(({ root }, index) => ({
      root,
      stash: stashFor({ root, folder, name: `${view.id}-${index}` }),
    }))
    const head: Head = { version: 1, effectId: view.id, hash, createdAt: Date.now(), bootId: bootId(), layers }
    // A stash elsewhere must be found again whatever happens; one in here goes with the folder.
    const isElsewhere = layers.some(({ stash }) => !stash.startsWith(`${folder}/`))
    if (isElsewhere) {
      writeSealed(join(folder, 'head'), JSON.stringify(head))
      await syncTogether([join(folder, 'head'), folder, dirname(folder)])
    }
    const journal = new Journal(folder, head)
    try {
      for (const layer of layers) await keepTime(layer, () => mkdirSync(layer.stash, { mode: 0o700 }))
    } catch (error) {
      await journal.remove()
      throw error
    }
    return journal
  }

  /** Opens a journal; undefined for a folder that has not even a head: nothing was done, and nothing is outside of it. */
  static open(folder: string): Journal | undefined {
    const text = readSealed(join(folder, 'plan')) ?? readSealed(join(folder, 'head'))
    if (text === undefined) return undefined
    const [head = ''] = text.split('\n', 1)
    return new Journal(folder, Head.parse(JSON.parse(head)))
  }

  disk(layer: number): RealDisk {
    const disk = this.disks[layer]
    if (!disk) throw new Error(`The journal has no layer ${layer}.`)
    return disk
  }

  /** Path of a slot in the stash of a layer. */
  slot(layer: number, slot: string): Buffer {
    return Buffer.from(join(this.head.layers[layer]?.stash ?? '', slot))
  }

  /** Once this, the `contents` in the stashes and the stashes themselves are on the disk, it may be touched. */
  async writePlan(steps: readonly Step[], contents: readonly Buffer[]): Promise<void> {
    const plan = join(this.folder, 'plan')
    writeSealed(plan, [JSON.stringify(this.head), ...steps.map(encodeStep)].join('\n'))
    const stashes = this.head.layers.map(({ stash }) => stash)
    await syncTogether([...contents, ...stashes, plan, this.folder, dirname(this.folder)])
  }

  /** The steps; undefined where nothing was begun. */
  readPlan(): Step[] | undefined {
    return readSealed(join(this.folder, 'plan'))?.split('\n').slice(1).map(decodeStep)
  }

  async mark(name: Mark, content = ''): Promise<void> {
    writeSealed(join(this.folder, name), content)
    await syncTogether([join(this.folder, name), this.folder])
  }

  isMarked(name: Mark): boolean {
    return readSealed(join(this.folder, name)) !== undefined
  }

  readMark(name: Mark): string {
    return readSealed(join(this.folder, name)) ?? ''
  }

  /** Notes that the content of a step is being written from now on. In the page cache is enough: without power, every one may be. */
  noteWrite(index: number): void {
    this.#progress ??= openSync(join(this.folder, 'progress'), 'a')
    writeSync(this.#progress, `${index}\n`)
  }

  /** Whether the content of a step may have been written to. */
  mayBeWritten(): (index: number) => boolean {
    if (this.isMarked('applied') || this.head.bootId !== bootId()) return () => true
    const path = join(this.folder, 'progress')
    const begun = new Set(existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1).map(Number) : [])
    return (index) => begun.has(index)
  }

  /** Leaves an entry to others for good: a roll back that is begun again does not write to it either. See `keyOfEntry`. */
  async leave(entry: string): Promise<void> {
    this.#left = new Set([...this.#leftEntries(), entry])
    await this.mark('left', [...this.#left].join('\n'))
  }

  isLeft(entry: string): boolean {
    return this.#leftEntries().has(entry)
  }

  #leftEntries(): ReadonlySet<string> {
    this.#left ??= new Set(this.readMark('left').split('\n').filter(Boolean))
    return this.#left
  }

  /** Removes the whole record, the entries in its stashes with it. Idempotent; what a crash leaves over is swept by `recover`. */
  async remove(): Promise<void> {
    this[Symbol.dispose]()
    // Without a plan there is nothing to take back any more; its first line is a head.
    const plan = join(this.folder, 'plan')
    if (readSealed(plan) !== undefined) renameSync(plan, join(this.folder, 'head'))
    else rmSync(plan, { force: true })
    for (const layer of this.head.layers) await keepTime(layer, () => removeTree(layer.stash))
    await removeTree(this.folder)
  }

  [Symbol.dispose](): void {
    for (const disk of this.disks) disk[Symbol.dispose]()
    if (this.#progress !== undefined) closeSync(this.#progress)
    this.#progress = undefined
  }
}

/** A stash at the root of a layer comes and goes without a trace there. */
async function keepTime({ root, stash }: Head['layers'][number], work: () => Promise<void> | void): Promise<void> {
  const isOutside = stash.startsWith(join(root, STASH_PREFIX))
  const { mtimeNs } = lstatSync(root, { bigint: true })
  await work()
  if (isOutside) writeOwnMtime(Buffer.from(root), mtimeNs)
}

/** Journals in a folder of journals, by name. */
export function listJournals(journals: string): string[] {
  return existsSync(journals) ? readdirSync(journals).map((name) => join(journals, name)) : []
}

/** Entries are renamed to the stash and back, so it is on the mount of the layer: with the journal, or hidden at the layer's root. */
function stashFor({ root, folder, name }: { root: string; folder: string; name: string }): string {
  using disk = new RealDisk(root)
  return disk.holds(folder) ? join(folder, `stash-${name}`) : join(root, `${STASH_PREFIX}${name}`)
}
