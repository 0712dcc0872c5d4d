import { fstatSync } from 'node:fs'
import type { EntryState } from '../disk/entry-state.ts'

/** What tells whether somebody wrote to an entry. */
type Marks = Pick<EntryState, 'ino' | 'size' | 'mtimeNs' | 'ctimeNs'>

type Known = { readonly [Key in 'size' | 'mtimeNs' | 'ctimeNs']?: Marks[Key] | undefined } & { readonly half?: boolean }

/**
 * What the entries that an apply or its undo touched are, as its own steps left them: what is anything else was changed by others and is
 * not written over. Inodes are told apart by layer.
 */
export class KnownEntries {
  readonly #known = new Map<string, Known>()

  /** An own step gave it another name, or place, so that its change time is another. */
  renamed(layer: number, ino: bigint): void {
    const key = keyOfEntry(layer, ino)
    this.#known.set(key, { ...this.#known.get(key), ctimeNs: undefined })
  }

  /** An own step is about to write to it: what it is meanwhile is not known. */
  writing(layer: number, ino: bigint): void {
    this.#known.set(keyOfEntry(layer, ino), { half: true })
  }

  /** An own step has written to it. */
  written(layer: number, { ino, size, mtimeNs, ctimeNs }: Omit<Marks, 'mtimeNs'> & Partial<Marks>): void {
    this.#known.set(keyOfEntry(layer, ino), { size, mtimeNs, ctimeNs })
  }

  /** What it is, once all own steps are done; undefined for what none has written to. */
  find(layer: number, ino: bigint): Pick<Marks, 'size' | 'ctimeNs'> | undefined {
    const { size, ctimeNs } = this.#known.get(keyOfEntry(layer, ino)) ?? {}
    return size === undefined || ctimeNs === undefined ? undefined : { size, ctimeNs }
  }

  /** Whether an entry is what it was before, but for own steps. The change time of a file with several names moves with each of them. */
  isSame(layer: number, present: Marks, before: Marks & Pick<EntryState, 'nlink'>): boolean {
    const { size, mtimeNs } = before
    const ctimeNs = before.nlink > 1 ? undefined : before.ctimeNs
    const known = this.#known.get(keyOfEntry(layer, present.ino))
    return present.ino === before.ino && fits(present, { size, mtimeNs, ctimeNs, ...known })
  }

  /** Whether a content is this apply's own to take back: `no` where none of its steps wrote to it, `changed` where others did since. */
  isOwn(layer: number, present: Marks): 'yes' | 'no' | 'changed' {
    const known = this.#known.get(keyOfEntry(layer, present.ino))
    if (known?.half === true) return 'yes'
    if (known?.size === undefined) return 'no'
    return fits(present, known) ? 'yes' : 'changed'
  }
}

/** Key of an inode among those of all layers. */
export function keyOfEntry(layer: number, ino: bigint): string {
  return `${layer}/${ino}`
}

/** What tells whether somebody wrote to an open file. */
export function marksOf(descriptor: number): Marks {
  const { ino, size, mtimeNs, ctimeNs } = fstatSync(descriptor, { bigint: true })
  return { ino, size: Number(size), mtimeNs, ctimeNs }
}

function fits(present: Marks, { size, mtimeNs, ctimeNs }: Known): boolean {
  return (
    (size === undefined || present.size === size) &&
    (mtimeNs === undefined || present.mtimeNs === mtimeNs) &&
    (ctimeNs === undefined || present.ctimeNs === ctimeNs)
  )
}
