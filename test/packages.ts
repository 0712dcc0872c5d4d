import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

const root = fileURLToPath(new URL('..', import.meta.url))

const dependencies = z.record(z.string(), z.string()).default({})
const Manifest = z.object({
  name: z.string(),
  exports: z.record(z.string(), z.union([z.string(), z.object({ '@cmdop/source': z.string() })])).default({}),
  dependencies,
  devDependencies: dependencies,
  peerDependencies: dependencies,
})

/** A package under `packages/`. */
export interface Package {
  readonly name: string
  readonly folder: string
  readonly manifest: z.infer<typeof Manifest>
  /** Absolute paths of its TypeScript sources. */
  readonly sources: readonly string[]
}

/** Every package, by name. */
export function readPackages(): Package[] {
  return readdirSync(join(root, 'packages')).map((name) => {
    const folder = join(root, 'packages', name)
    const manifest = Manifest.parse(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')))
    const files = readdirSync(join(folder, 'src'), { recursive: true, encoding: 'utf8' })
    const sources = files.filter((file) => file.endsWith('.ts')).map((file) => join(folder, 'src', file))
    return { name: manifest.name, folder, manifest, sources }
  })
}

/** Whether a file is only for tests. */
export function isForTests(file: string): boolean {
  return file.endsWith('.test.ts') || file.includes('/testing/') || file.includes('/conformance/')
}

/** What a file imports or exports from, as it is written there. */
export function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  const found = text.matchAll(/^(?:import|export)\b[^'"`;]*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm)
  return Array.from(found, ([, from, bare, dynamic]) => from ?? bare ?? dynamic ?? '')
}

/** The files that an entry reaches through relative imports, and what they import from elsewhere. */
export function reachedFrom(entry: string): { files: Set<string>; outside: Set<string> } {
  const files = new Set<string>()
  const outside = new Set<string>()
  const visit = (file: string) => {
    if (files.has(file)) return
    files.add(file)
    for (const specifier of importsOf(file)) {
      if (specifier.startsWith('.')) visit(resolve(dirname(file), specifier))
      else outside.add(specifier)
    }
  }
  visit(entry)
  return { files, outside }
}

/** A path as it is in the repository. */
export function shown(file: string): string {
  return relative(root, file)
}

/** The package that a specifier means: `zod` of `zod/v4`, `@cmdop/core` of `@cmdop/core/browser`. */
export function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}
