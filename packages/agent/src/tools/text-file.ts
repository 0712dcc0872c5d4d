import { createHash } from 'node:crypto'
import type { Machine } from '@cmdop/core'
import { CmdopError, isCmdopError } from '@cmdop/protocol'
import { createTwoFilesPatch } from 'diff'

/** Largest file that is edited or compared, in bytes. */
const maxBytes = 1_048_576

/** A text file that was read whole. */
export interface TextFile {
  readonly text: string
  readonly sha256: string
}

/** Reads a text file. undefined: there is none. Throws `unsupported` for one that is too large or no text. */
export async function readTextFile(machine: Machine, path: string, signal: AbortSignal): Promise<TextFile | undefined> {
  const part = await machine.files.read(path, { length: maxBytes, signal }).catch((error: unknown) => {
    if (isCmdopError(error) && error.code === 'not_found') return undefined
    throw error
  })
  if (part === undefined) return undefined
  const { data, size } = part
  if (size > data.length) {
    throw new CmdopError(
      'unsupported',
      `The file has ${size} bytes; only text files up to ${maxBytes} bytes are edited. Use run_command.`,
    )
  }
  if (data.includes(0) || !isUtf8(data))
    throw new CmdopError('unsupported', 'The file is not UTF-8 text. Use run_command.')
  return {
    text: new TextDecoder('utf-8', { ignoreBOM: true }).decode(data),
    sha256: createHash('sha256').update(data).digest('hex'),
  }
}

function isUtf8(data: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(data)
    return true
  } catch {
    return false
  }
}

/** What changed, as a unified diff with three lines around each change; empty when nothing did. */
export function diffOf(path: string, before: string | undefined, after: string): string {
  if (before === after) return ''
  const from = before === undefined ? '/dev/null' : `a${path}`
  const patch = createTwoFilesPatch(from, `b${path}`, before ?? '', after, undefined, undefined, {
    context: 3,
    timeout: 500,
  })
  if (patch === undefined)
    return `(the change is too large for a diff: ${before?.length ?? 0} to ${after.length} characters)`
  return patch.slice(patch.indexOf('\n') + 1)
}
