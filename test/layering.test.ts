import { dirname, join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { importsOf, isForTests, packageOf, reachedFrom, readPackages, shown } from './packages.ts'

/** The packages that each may know, of ours. */
const mayKnow: Readonly<Record<string, readonly string[]>> = {
  '@cmdop/protocol': [],
  '@cmdop/core': ['@cmdop/protocol'],
  '@cmdop/agent': ['@cmdop/protocol', '@cmdop/core'],
  '@cmdop/fleet': ['@cmdop/protocol', '@cmdop/core', '@cmdop/agent'],
  '@cmdop/sandbox': ['@cmdop/protocol'],
  '@cmdop/policy': ['@cmdop/protocol'],
  '@cmdop/machine': ['@cmdop/protocol', '@cmdop/core', '@cmdop/agent', '@cmdop/policy', '@cmdop/sandbox'],
  '@cmdop/relay': ['@cmdop/protocol', '@cmdop/policy'],
  cmdop: [
    '@cmdop/protocol',
    '@cmdop/core',
    '@cmdop/agent',
    '@cmdop/fleet',
    '@cmdop/machine',
    '@cmdop/policy',
    '@cmdop/relay',
  ],
}

/** What the test runner of the workspace brings. */
const forTests = ['vitest', 'fast-check']

const packages = readPackages()

test('every package has its place', () => {
  expect(packages.map(({ name }) => name).sort()).toEqual(Object.keys(mayKnow).sort())
})

describe.each(packages)('$name', ({ name, folder, manifest, sources }) => {
  const isOurs = (specifier: string) => Object.hasOwn(mayKnow, specifier)
  const declared = { ...manifest.dependencies, ...manifest.peerDependencies }
  const declaredForTests = { ...declared, ...manifest.devDependencies }

  test('depends only on packages below it', () => {
    expect(Object.keys(declaredForTests).filter((other) => isOurs(other) && !mayKnow[name]?.includes(other))).toEqual(
      [],
    )
  })

  test('imports only what it declares', () => {
    const wrong = sources.flatMap((file) =>
      importsOf(file)
        .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
        .map(packageOf)
        .filter((other) => !Object.hasOwn(isForTests(file) ? declaredForTests : declared, other))
        .filter((other) => !(isTestTool(file) && forTests.includes(other)))
        .map((other) => `${shown(file)}: ${other}`),
    )
    expect(wrong).toEqual([])
  })

  test('reaches into no other package past its entry points', () => {
    const wrong = sources.flatMap((file) =>
      importsOf(file)
        .filter((specifier) => specifier.startsWith('.'))
        .filter((specifier) => !`${resolve(dirname(file), specifier)}/`.startsWith(`${folder}/`))
        .map((specifier) => `${shown(file)}: ${specifier}`),
    )
    expect(wrong).toEqual([])
  })

  test('keeps its tests out of what it ships', () => {
    const entries = Object.values(manifest.exports).flatMap((entry) => (typeof entry === 'string' ? [] : [entry]))
    for (const entry of entries) {
      const { files } = reachedFrom(join(folder, entry['@cmdop/source']))
      expect(Array.from(files, shown).filter((file) => file.endsWith('.test.ts'))).toEqual([])
    }
  })
})

test('the protocol runs anywhere: nothing in it is of Node', () => {
  const { outside } = reachedFrom(entryOf('@cmdop/protocol', '.'))
  expect(Array.from(outside).sort()).toEqual(['yaml', 'zod'])
})

test('the client for browsers has nothing of Node in it', () => {
  const { files, outside } = reachedFrom(entryOf('@cmdop/core', './browser'))
  expect(Array.from(outside).sort()).toEqual(['@cmdop/protocol', '@opentelemetry/api', 'zod'])
  expect(Array.from(files, shown)).toContain('packages/core/src/execution.ts')
  expect(Array.from(files, shown)).not.toContain('packages/core/src/platform-node.ts')
})

test('only one file of the client knows Node, and what carries files of this computer or listens on it', () => {
  const { files } = reachedFrom(entryOf('@cmdop/core', '.'))
  const node = Array.from(files).filter((file) =>
    importsOf(file).some((name) => name.startsWith('node:') || name === 'undici' || name === 'ws'),
  )
  const others = node.map(shown).filter((file) => !file.startsWith('packages/core/src/files/node/'))
  expect(others.toSorted()).toEqual(['packages/core/src/platform-node.ts', 'packages/core/src/tunnels/listen-node.ts'])
})

function entryOf(name: string, path: string): string {
  const found = packages.find((candidate) => candidate.name === name)
  const entry = found?.manifest.exports[path]
  if (found === undefined || entry === undefined || typeof entry === 'string')
    throw new Error(`There is no ${name} ${path}.`)
  return join(found.folder, entry['@cmdop/source'])
}

/** Conformance suites and test helpers may be named otherwise than `*.test.ts`. */
function isTestTool(file: string): boolean {
  return isForTests(file) || /-conformance\.ts$|-properties\.ts$|-suite\.ts$|kill-cycles\.ts$/.test(file)
}
