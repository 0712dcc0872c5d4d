import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, lutimes, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RemoteMachine } from '@cmdop/core'
import * as fc from 'fast-check'
import { expect } from 'vitest'
import type { TcpProxy } from './tcp-proxy.ts'

type Node =
  | { readonly type: 'file'; readonly data: Uint8Array | number; readonly mode: number }
  | { readonly type: 'link'; readonly target: Uint8Array }
  | { readonly type: 'folder'; readonly children: ReadonlyMap<string, Node>; readonly mode: number }

/** Bytes of a name as latin1: anything but a slash and NUL, with newlines and what is no UTF-8. */
const name = fc
  .uint8Array({ minLength: 1, maxLength: 12 })
  .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x0a : byte))).toString('latin1'))
  .filter((text) => text !== '.' && text !== '..')

const file = fc.record({
  type: fc.constant('file' as const),
  data: fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 60_000, max: 600_000 })),
  mode: fc.constantFrom(0o644, 0o600, 0o755, 0o400),
})
const link = fc.record({
  type: fc.constant('link' as const),
  target: fc.oneof(name, fc.constantFrom('..', '/', 'nowhere')).map((text) => Buffer.from(text, 'latin1')),
})
const { folder } = fc.letrec<{ folder: Extract<Node, { type: 'folder' }>; node: Node }>((tie) => ({
  node: fc.oneof({ depthSize: 'small', withCrossShrink: true }, file, link, tie('folder')),
  folder: fc.record({
    type: fc.constant('folder' as const),
    children: fc.array(fc.tuple(name, tie('node')), { maxLength: 6 }).map((pairs) => new Map(pairs)),
    mode: fc.constantFrom(0o755, 0o700, 0o555),
  }),
}))

/** A tree that went to the machine and came back is the same, in every byte, link, mode and time. */
export async function checkTreesThereAndBack(handle: RemoteMachine, base: string, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(folder, fc.boolean(), async (tree, preserve) => {
      const here = await mkdtemp(join(base, 'tree-'))
      await make(Buffer.from(join(here, 'from')), tree)
      const options = { recursive: true, preserve }
      await handle.files.upload(join(here, 'from'), join(here, 'there'), options)
      await handle.files.download(join(here, 'there'), join(here, 'back'), options)
      const parts = preserve ? '%P %y %m %s %l %T@\\0' : '%P %y %m %s %l\\0'
      const [from, there, back] = ['from', 'there', 'back'].map((root) => describeTree(join(here, root), parts))
      expect(there).toEqual(from)
      expect(back).toEqual(from)
      execFileSync('/usr/bin/diff', ['-r', '--no-dereference', join(here, 'from'), join(here, 'back')])
      execFileSync('chmod', ['-R', 'u+rwX', here])
      await rm(here, { recursive: true })
    }),
    { numRuns, endOnFailure: true },
  )
}

/** Where the way is cut, in bytes that were transferred by then. */
const BYTES = 6_000_000
const cuts = fc.uniqueArray(fc.integer({ min: 0, max: BYTES - 1 }), { minLength: 1, maxLength: 4 })

/** A file is whole on the other side, wherever the client's connection is cut. */
export async function checkTransfersOverCuts(
  handle: RemoteMachine,
  { proxy, base, numRuns }: { proxy: TcpProxy; base: string; numRuns: number },
): Promise<void> {
  const data = randomBytes(BYTES)
  const source = join(base, 'source')
  await writeFile(source, data)
  await fc.assert(
    fc.asyncProperty(cuts, fc.constantFrom('upload' as const, 'download' as const), async (points, way) => {
      const left = points.toSorted((one, other) => one - other)
      const onProgress = ({ bytes }: { bytes: number }) => {
        for (; left[0] !== undefined && left[0] < bytes; left.shift()) proxy.cut()
      }
      const target = join(base, 'target')
      const result = await handle.files[way](source, target, { onProgress })
      expect(result).toMatchObject({ files: 1, bytes: BYTES })
      expect((await readFile(target)).equals(data)).toBe(true)
      await rm(target)
    }),
    { numRuns, endOnFailure: true },
  )
}

async function make(path: Buffer, node: Node): Promise<void> {
  const at = new Date(1_600_000_000_000 + ((path.length * 1_234_567) % 1_000_000_000))
  if (node.type === 'link') {
    await symlink(Buffer.from(node.target), path)
    return lutimes(path, at, at)
  }
  if (node.type === 'file') await writeFile(path, typeof node.data === 'number' ? randomBytes(node.data) : node.data)
  else {
    await mkdir(path)
    for (const [child, inner] of node.children)
      await make(Buffer.concat([path, Buffer.from('/'), Buffer.from(child, 'latin1')]), inner)
  }
  await chmod(path, node.mode)
  return utimes(path, at, at)
}

/** A line for each entry, in bytes; the time of a link is not transferred. */
function describeTree(root: string, parts: string): string[] {
  const others = execFileSync('find', [root, '!', '-type', 'l', '-printf', parts])
  const links = execFileSync('find', [root, '-type', 'l', '-printf', '%P %l\\0'])
  return (
    Buffer.concat([others, links])
      .toString('latin1')
      .split('\0')
      // The size of a directory is its own affair, and a time has milliseconds.
      .map((line) => line.replace(/( d \d+) \d+/, '$1').replace(/(\.\d{3})\d+$/, '$1'))
      .sort()
  )
}
