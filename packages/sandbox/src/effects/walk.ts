import { readdirSync, statfsSync } from 'node:fs'
import { isCmdopError } from '@cmdop/protocol'
import { type EntryState, readState } from '../disk/entry-state.ts'
import { inOrder, isWithin, joinBytes, keyOf } from '../disk/path-bytes.ts'
import { RealDisk } from '../disk/real-disk.ts'
import { codeOf } from '../disk/system-error.ts'
import type { View, ViewLayer } from '../view.ts'
import type { Change, Changes, ContentSource, LinkAnchor } from './change.ts'
import { compareEntry } from './compare.ts'
import { realSource } from './content.ts'
import { fullPath } from './effect-hash.ts'
import { FoldedChanges } from './folded.ts'
import { type OverlayNotes, isWhiteout, splitNotes } from './overlay-notes.ts'
import type { UpperDirectories } from './upper-directories.ts'
import { createPace } from '../pace.ts'

/** Finds all that a view changes: walks the upper directories, and below renamed directories what shows through them. */
export async function walkView(
  view: View,
  directories: UpperDirectories,
  { signal, most }: { signal: AbortSignal | undefined; most: number },
): Promise<Changes> {
  const walk = new Walk({ view, directories, most, pace: createPace(signal) })
  for (const layer of view.layers) await walk.layer(layer)
  return walk
}

const top = Buffer.alloc(0)
const MS = 1_000_000n
/** Names in a path, from the root of the disk. */
const KEPT_DEPTH = 2
const TOO_LONG = 'Its path is longer than the system takes, so what is in it is not known.'
const SUBVOLUME =
  'It is a filesystem of its own without being mounted, as a subvolume is, so what changes in it is not known.'

/** `OVERLAYFS_SUPER_MAGIC` of `<linux/magic.h>`. */
const OVERLAYFS = 0x794c_7630

/** One entry of the view: its path, whether it is an upper entry, and where the lower one is if it shows through. */
interface Place {
  readonly path: Buffer
  /** Absent where nothing of it is in the upper directory, at the same path. */
  readonly isUpper?: true
  /** Relative to the layer's root. Another than `path` below a renamed directory. */
  readonly lower?: Buffer
}

interface WalkParts {
  readonly view: View
  readonly directories: UpperDirectories
  /** Changes that are kept one by one. */
  readonly most: number
  readonly pace: () => Promise<void> | undefined
}

class Walk implements Changes {
  readonly changes: Change[] = []
  readonly anchors = new Map<string, LinkAnchor>()
  readonly unread: { path: Buffer; why: string }[] = []
  readonly folded = new FoldedChanges()
  readonly #view: View
  readonly #directories: UpperDirectories
  readonly #most: number
  readonly #pace: () => Promise<void> | undefined
  #layer: ViewLayer = { root: '', upper: '' }
  #root = top
  #device = 0n
  #isOnOverlay = false
  #disk: RealDisk | undefined
  #upper: RealDisk | undefined

  constructor({ view, directories, most, pace }: WalkParts) {
    this.#view = view
    this.#directories = directories
    this.#most = most
    this.#pace = pace
  }

  async layer(layer: ViewLayer): Promise<void> {
    this.#layer = layer
    this.#root = Buffer.from(layer.root)
    const real = readState(this.#root)
    const upper = readState(Buffer.from(layer.upper))
    if (!real || !upper) throw new Error(`A layer of the view is gone: ${real ? layer.upper : layer.root}.`)
    this.#device = real.dev
    this.#isOnOverlay = statfsSync(layer.root).type === OVERLAYFS
    const { own } = splitNotes(upper.xattrs, this.#view.flavour)
    // An ordinary user cannot give the upper directory every owner, so only what can be given is compared.
    const owner = this.#view.flavour === 'user' ? { uid: real.uid, gid: real.gid } : {}
    // Made from the real one, perhaps with a rounded time.
    const rounded = upper.mtimeNs - real.mtimeNs < MS && real.mtimeNs - upper.mtimeNs < MS
    const mtimeNs = rounded ? real.mtimeNs : upper.mtimeNs
    await this.#compare({ path: top, after: { ...upper, xattrs: own, ...owner, mtimeNs }, before: real })
    using disk = new RealDisk(layer.root)
    using upperDisk = new RealDisk(layer.upper)
    this.#disk = disk
    this.#upper = upperDisk
    await this.#directory({ path: top, isUpper: true, lower: top }, real)
  }

  /** What is in a directory of the view. */
  async #directory(place: Place, real: EntryState | undefined): Promise<void> {
    const upper = place.isUpper ? this.#listUpper(place.path) : []
    for (const name of upper) {
      try {
        await this.#upperEntry(place, name)
      } catch (error) {
        if (codeOf(error) !== 'ENAMETOOLONG') throw error
        this.unread.push({ path: joinBytes(this.#root, joinBytes(place.path, name)), why: TOO_LONG })
      }
      await this.#pace()
    }
    if (place.lower?.equals(place.path)) return
    // Another directory, or none, shows through here: all of it counts, and what is on the real disk here may be gone.
    const seen = new Set(upper.map(keyOf))
    for (const name of place.lower ? this.#listReal(place.lower) : []) {
      if (seen.has(keyOf(name))) continue
      seen.add(keyOf(name))
      await this.#lowerEntry({ path: joinBytes(place.path, name), lower: joinBytes(place.lower ?? top, name) })
    }
    if (real?.type !== 'directory') return
    for (const name of this.#listReal(place.path))
      if (!seen.has(keyOf(name))) await this.#deleted(joinBytes(place.path, name))
  }

  async #upperEntry(directory: Place, name: Buffer): Promise<void> {
    const path = joinBytes(directory.path, name)
    const state = absentOr(() => this.#upper && readState(this.#upper.at(path)))
    // Gone since the directory was listed: the view is live.
    if (!state) return
    if (isWhiteout(state)) return this.#deleted(path)
    const { notes, own } = splitNotes(state.xattrs, this.#view.flavour)
    const lower = this.#lowerOf(directory, name, notes)
    const before = this.#real(path)
    // Another mount is there by now, which this layer does not cover.
    if (before && this.#isElsewhere(path, before)) return undefined
    const after = { ...state, xattrs: own }
    if (state.type !== 'directory') return this.#file({ path, ...(lower && { lower }) }, after, { before, notes })
    await this.#compare({ path, after, before, ...(notes.originIno !== undefined && { originIno: notes.originIno }) })
    const shows = lower && (lower.equals(path) ? before : this.#real(lower, false))?.type === 'directory'
    await this.#directory({ path, isUpper: true, ...(shows && { lower }) }, before)
  }

  /** An entry that is only in the directory that shows through a renamed one. */
  async #lowerEntry(place: { path: Buffer; lower: Buffer }): Promise<void> {
    const after = this.#real(place.lower)
    if (!after || this.#isElsewhere(place.lower, after)) return
    const before = this.#real(place.path)
    const source = realSource({ layer: this.#layer, path: place.lower })
    await this.#compare({ path: place.path, after, before, source, originIno: after.ino })
    if (after.type === 'directory') await this.#directory(place, before)
    await this.#pace()
  }

  async #file(place: Place, after: EntryState, about: { before: EntryState | undefined; notes: OverlayNotes }) {
    const { before, notes } = about
    const real = notes.metacopy && place.lower ? realSource({ layer: this.#layer, path: place.lower }) : undefined
    const source: ContentSource = real ?? { where: 'upper', root: this.#layer.upper, path: place.path }
    const originIno = real ? this.#real(place.lower ?? top, false)?.ino : notes.originIno
    const linkGroup = after.nlink > 1 ? `${after.dev}:${after.ino}` : undefined
    const changed = await this.#compare({
      path: place.path,
      after,
      before,
      source,
      copiedUp: notes.copiedUp || notes.metacopy,
      ...(originIno !== undefined && { originIno }),
      ...(linkGroup && { linkGroup }),
    })
    if (!changed && linkGroup && before)
      this.anchors.set(linkGroup, { layer: this.#layer, path: place.path, ino: before.ino })
  }

  async #compare(entry: Omit<Parameters<typeof compareEntry>[0], 'layer'>): Promise<boolean> {
    const change = await compareEntry({ ...entry, layer: this.#layer })
    if (change) this.#keep(change)
    if (change && entry.before?.type === 'directory' && entry.after.type !== 'directory')
      await this.#deletedBelow(change.path)
    return change !== undefined
  }

  /** What is near the top is always kept: it stands for what is below. */
  #keep(change: Change): void {
    if (this.changes.length < this.#most || partsOf(fullPath(change)) <= KEPT_DEPTH) this.changes.push(change)
    else this.folded.add(change)
  }

  async #deleted(path: Buffer): Promise<void> {
    const before = this.#real(path, false)
    // Never there, or another mount, which the view does not cover.
    if (!before || this.#isElsewhere(path, before)) return
    this.#keep({ kind: 'deleted', layer: this.#layer, path, before })
    if (before.type === 'directory') await this.#deletedBelow(path)
    await this.#pace()
  }

  /**
   * On another mount, which the view does not cover. On an overlay, as the root of a container is, files have other devices than the
   * directories they are in. What has another device for no such reason, as a subvolume, is not known to be comparable.
   */
  #isElsewhere(path: Buffer, state: EntryState): boolean {
    if (state.dev === this.#device || (state.type !== 'directory' && this.#isOnOverlay)) return false
    if (this.#disk?.isMount(path) !== true) this.unread.push({ path: joinBytes(this.#root, path), why: SUBVOLUME })
    return true
  }

  async #deletedBelow(path: Buffer): Promise<void> {
    for (const name of this.#listReal(path)) await this.#deleted(joinBytes(path, name))
  }

  /** Where an upper entry's lower one is, if any shows through. */
  #lowerOf(directory: Place, name: Buffer, notes: OverlayNotes): Buffer | undefined {
    if (notes.opaque) return undefined
    if (notes.redirect?.[0] === 0x2f) return notes.redirect.subarray(1)
    return directory.lower && joinBytes(directory.lower, notes.redirect ?? name)
  }

  /** Nothing is below what is no directory on the real disk, also where a symbolic link there leads to one. */
  #real(path: Buffer, xattrs = true): EntryState | undefined {
    const full = joinBytes(this.#root, path)
    try {
      return absentOr(() => this.#disk && readState(this.#disk.at(path), { xattrs }))
    } catch (error) {
      const code = codeOf(error)
      if (code !== 'EACCES' && code !== 'ENAMETOOLONG') throw error
      const why = code === 'EACCES' ? 'It is in a directory that cannot be entered.' : TOO_LONG
      this.unread.push({ path: full, why })
      return undefined
    }
  }

  #listUpper(path: Buffer): readonly Buffer[] {
    const upper = this.#upper
    return inOrder(absentOr(() => upper && this.#directories.list(upper, path)) ?? [])
  }

  #listReal(path: Buffer): readonly Buffer[] {
    const full = joinBytes(this.#root, path)
    if (isWithin(full, Buffer.from(this.#view.folder))) return []
    try {
      return inOrder(absentOr(() => this.#disk && readdirSync(this.#disk.folder(path), { encoding: 'buffer' })) ?? [])
    } catch (error) {
      const code = codeOf(error)
      if (code !== 'EACCES' && code !== 'ENAMETOOLONG') throw error
      const why = code === 'EACCES' ? 'The directory cannot be read, so what is in it is not known.' : TOO_LONG
      this.unread.push({ path: full, why })
      return []
    }
  }
}

/** Undefined for what is not there, or is below a link, a file or another mount. */
function absentOr<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR' || isCmdopError(error)) return undefined
    throw error
  }
}

function partsOf(path: Buffer): number {
  let parts = 0
  for (const byte of path) if (byte === 0x2f) parts += 1
  return parts
}
