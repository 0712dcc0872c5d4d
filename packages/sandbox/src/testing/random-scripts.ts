import * as fc from 'fast-check'
import type { Operation } from './operations.ts'

/** Few names, so that steps meet: plain ones, a space with a newline, a dash, and bytes that are no UTF-8. */
const names = ['a', 'b', 'sp ace\nline', '-rf', 'ü']
  .map((name) => Buffer.from(name))
  .concat(Buffer.from([0x66, 0xff, 0xfe]))

const path = fc
  .tuple(fc.constantFrom(...names), fc.array(fc.constantFrom(...names.slice(0, 4)), { maxLength: 2 }))
  .map(([first, rest]) =>
    Buffer.from([first, ...rest].map((part) => part.toString('latin1')).join('/'), 'latin1').toString('base64'),
  )

const content = fc.oneof(fc.constantFrom('', 'one\n', 'two\nlines\n'), fc.string({ maxLength: 40 }))

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant('write' as const), path, content) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('append' as const), path, content) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('mkdir' as const), path) },
  {
    weight: 5,
    arbitrary: fc.tuple(
      fc.constantFrom('rename' as const, 'rename' as const, 'link' as const, 'copy' as const),
      path,
      path,
    ),
  },
  { weight: 2, arbitrary: fc.tuple(fc.constant('symlink' as const), path, path) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('unlink' as const, 'rmdir' as const, 'remove' as const), path) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('truncate' as const), path, fc.constantFrom(0, 3, 20_000)) },
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constant('chmod' as const),
      path,
      fc.constantFrom(0o711, 0o755, 0o750, 0o4755, 0o1777, 0o700),
    ),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constant('chown' as const), path, fc.constantFrom(0, 1, 65_534)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('xattr' as const), path, fc.constantFrom('one', 'two', '')) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constant('touch' as const), path, fc.constantFrom(1_000_000_000, 1_000_000_001.5)),
  },
)

/** Directories to begin with, so that more steps of a script find their place. */
const directories = fc.subarray(
  ['a', 'b', 'a/a', 'a/b', '-rf', 'a/a/b'].map((each) => Buffer.from(each).toString('base64')),
)

/** A script that makes a tree; without hard links where they would tell the view from a real run. */
export function treeScript({ links }: { links: boolean }): fc.Arbitrary<Operation[]> {
  return fc
    .tuple(directories, fc.array(operation, { minLength: 8, maxLength: 30 }))
    .map(([made, steps]) => [
      ...made.map((each): Operation => ['mkdir', each]),
      ...steps.filter(([what]) => links || what !== 'link'),
    ])
}

/** A script of up to 25 file operations, some of which fail. */
export const script: fc.Arbitrary<Operation[]> = fc.array(operation, { minLength: 1, maxLength: 25 })
