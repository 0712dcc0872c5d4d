import { readFile } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { OutputSchemaInput } from '@cmdop/agent'
import { CmdopError } from '@cmdop/protocol'

/** The schema of a file: JSON Schema in `.json`; in `.ts`, `.js` and `.mjs` the default export, one named `schema`, or the only one. */
export async function loadSchema(path: string): Promise<OutputSchemaInput> {
  const file = resolve(path)
  const schema = extname(file) === '.json' ? await readJson(file) : await importSchema(file)
  if ((typeof schema === 'object' || typeof schema === 'function') && schema !== null && !Array.isArray(schema))
    return schema as OutputSchemaInput
  throw new CmdopError('schema_invalid', `Expected ${path} to hold a JSON Schema, or to export one schema.`)
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    throw new CmdopError('config', `The schema ${file} cannot be read as JSON.`, { cause })
  }
}

async function importSchema(file: string): Promise<unknown> {
  try {
    const module: Record<string, unknown> = await import(pathToFileURL(file).href)
    const exported = Object.values(module)
    return module['default'] ?? module['schema'] ?? (exported.length === 1 ? exported[0] : undefined)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new CmdopError('config', `The schema ${file} cannot be loaded: ${reason}`, { cause })
  }
}
