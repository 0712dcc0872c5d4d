import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isPlaybook, type Playbook } from '@cmdop/fleet'
import { CmdopError } from '@cmdop/protocol'

/** The playbook of a file: its default export, or the only playbook among what it exports. Throws `config`, saying what is needed. */
export async function loadPlaybook(path: string): Promise<Playbook> {
  const file = resolve(path)
  const module = await importFile(file)
  const found = isPlaybook(module['default']) ? [module['default']] : Object.values(module).filter(isPlaybook)
  const [book] = found
  if (book !== undefined && found.length === 1) return book
  const what = found.length === 0 ? 'no playbook' : `${found.length} playbooks`
  throw new CmdopError('config', `Expected ${path} to export one playbook, best by default; it exports ${what}.`)
}

async function importFile(file: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>
  } catch (cause) {
    if (cause instanceof CmdopError) throw cause
    const { code = '', message } =
      cause instanceof Error ? (cause as NodeJS.ErrnoException) : { message: String(cause) }
    const help = helps[code] ?? ''
    throw new CmdopError('config', `The playbook ${file} cannot be loaded: ${message}${help && `\n${help}`}`, { cause })
  }
}

/** What helps against what Node says of a file. */
const helps: Readonly<Record<string, string>> = {
  ERR_MODULE_NOT_FOUND: 'What it imports has to be installed where it is: npm install cmdop zod',
  ERR_UNKNOWN_FILE_EXTENSION: 'Files of TypeScript need Node 24, which leaves out their types; else give it as .js.',
  ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX:
    'Node leaves out types and does no more: what makes code, such as enum, namespace and parameter properties, has to go.',
  ERR_INVALID_TYPESCRIPT_SYNTAX: 'Node could not read it as TypeScript.',
  ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING: 'Node reads no TypeScript below node_modules: move it elsewhere.',
}
