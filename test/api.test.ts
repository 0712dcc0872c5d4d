import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readPackages } from './packages.ts'

/** What a package promises: nothing becomes public, or vanishes, by accident. `vitest run -u` takes a wanted change over. */
describe.each(readPackages())('$name', ({ folder, manifest }) => {
  for (const [path, entry] of Object.entries(manifest.exports)) {
    if (typeof entry === 'string') continue
    test(`exports these names from ${path}`, async () => {
      const file = join(folder, entry['@cmdop/source'])
      const values = Object.keys((await import(file)) as object).sort()
      expect({ values, types: typesOf(readFileSync(file, 'utf8')) }).toMatchSnapshot()
    })
  }
})

/** The types that an index file names; those of `export *` are not seen. */
function typesOf(index: string): string[] {
  const typeLists = Array.from(index.matchAll(/export type \{([^}]*)\}/g), ([, names = '']) => names.split(','))
  const mixed = Array.from(index.matchAll(/export \{([^}]*)\}/g), ([, names = '']) => names.split(','))
    .flat()
    .filter((name) => /^\s*type\s/.test(name))
  return [...typeLists.flat(), ...mixed]
    .map((name) => name.replace(/^\s*type\s/, '').trim())
    .filter((name) => name !== '')
    .sort()
}
