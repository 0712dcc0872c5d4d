import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

let found: string | undefined

/**
 * The host's program. Where this package runs from its sources, the host's are stripped of their types once, by a process
 * of its own, as stripping would take half of its start and of its memory.
 */
export function hostProgram(): string {
  found ??= import.meta.url.endsWith('.ts') ? fromSources() : fileURLToPath(new URL('../host/main.js', import.meta.url))
  return found
}

function fromSources(): string {
  const folder = fileURLToPath(new URL('../host', import.meta.url))
  const names = readdirSync(folder).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  const sources = Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]))
  const hash = createHash('sha256')
    .update(JSON.stringify([process.version, sources]))
    .digest('hex')
    .slice(0, 16)
  const cache = fileURLToPath(new URL('../../node_modules/.cache/cmdop-host', import.meta.url))
  const program = join(cache, hash, 'main.js')
  try {
    if (!existsSync(program)) write(sources, join(cache, hash))
    return program
  } catch {
    // Where it cannot be written, the sources run as they are.
    return join(folder, 'main.ts')
  }
}

const STRIP = `process.stdout.write(JSON.stringify(Object.entries(JSON.parse(require('node:fs').readFileSync(0, 'utf8')))
  .map(([name, text]) => [name.replace(/ts$/, 'js'), require('node:module').stripTypeScriptTypes(text)])))`

function write(sources: Readonly<Record<string, string>>, folder: string): void {
  const output = execFileSync(process.execPath, ['--no-warnings', '-e', STRIP], {
    input: JSON.stringify(sources),
    encoding: 'utf8',
  })
  const stripped = JSON.parse(output) as [string, string][]
  const temporary = `${folder}.${process.pid}`
  mkdirSync(temporary, { recursive: true })
  writeFileSync(join(temporary, 'package.json'), '{ "type": "module" }')
  for (const [name, text] of stripped)
    writeFileSync(join(temporary, name), text.replaceAll(/(from '\.\/[^']*)\.ts'/g, "$1.js'"))
  if (existsSync(folder)) rmSync(temporary, { recursive: true })
  else renameSync(temporary, folder)
}
