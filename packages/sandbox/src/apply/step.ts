import type { EntryState } from '../disk/entry-state.ts'
import type { ContentSource } from '../effects/change.ts'

/** What an entry was or becomes, as far as undoing needs it. */
export type StepState = Pick<
  EntryState,
  'type' | 'ino' | 'nlink' | 'ctimeNs' | 'size' | 'mode' | 'uid' | 'gid' | 'mtimeNs' | 'xattrs'
>

/**
 * One step of an apply. Every step can be undone by what the journal and the disk say, whether it was done, half done or not begun:
 * entries are renamed between the disk and slots of the stash, never removed, and are known by their inode.
 *
 * - `take`: the entry at `path` goes to slot `old`. A directory is empty by then.
 * - `put`: the entry of slot `slot` goes to `path`. With `replaces`, the two change places.
 * - `link`: as `put`, of one more name of the entry at `anchor`.
 * - `write`: the content of `path` becomes that of `source`; what it was is in slot `slot`.
 * - `attributes`: owner, mode, extended attributes and, of what is not a directory, modification time.
 * - `times`: the modification time of a directory, when all in it is done; without `after` it stays as it came. `mode` is what its mode was.
 */
export type Step = { readonly layer: number; readonly path: Buffer } & (
  | { readonly do: 'take'; readonly slot: string; readonly before: StepState }
  | { readonly do: 'put'; readonly slot: string; readonly ino: bigint; readonly replaces?: StepState }
  | {
      readonly do: 'link'
      readonly slot: string
      readonly ino: bigint
      readonly anchor: { readonly layer: number; readonly path: Buffer }
      readonly replaces?: StepState
    }
  | {
      readonly do: 'write'
      readonly slot: string
      readonly ino: bigint
      readonly from: ContentSource
      readonly before: StepState
    }
  | { readonly do: 'attributes'; readonly ino: bigint; readonly before?: StepState; readonly after: StepState }
  | {
      readonly do: 'times'
      readonly ino: bigint
      readonly mode?: number
      readonly before?: bigint
      readonly after?: bigint
    }
)

/** Steps as lines of JSON; bytes are base64, large numbers text. */
export function encodeStep(step: Step): string {
  return JSON.stringify(step, function encode(this: unknown, _key, value: unknown) {
    if (typeof value === 'bigint') return { n: value.toString() }
    if (value instanceof Map)
      return { m: [...(value as Map<string, Buffer>)].map(([name, bytes]) => [name, bytes.toString('base64')]) }
    // Buffers arrive here as what their toJSON made of them.
    if (isBufferJson(value)) return { b: Buffer.from(value.data).toString('base64') }
    return value
  })
}

/** The step of a line. Only journals that this process's user wrote are read. */
export function decodeStep(line: string): Step {
  return JSON.parse(line, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value
    if ('n' in value && typeof value.n === 'string') return BigInt(value.n)
    if ('b' in value && typeof value.b === 'string') return Buffer.from(value.b, 'base64')
    if ('m' in value && Array.isArray(value.m))
      return new Map((value.m as [string, string][]).map(([name, bytes]) => [name, Buffer.from(bytes, 'base64')]))
    return value
  }) as Step
}

function isBufferJson(value: unknown): value is { data: number[] } {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value
}
