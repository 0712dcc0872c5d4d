import { type SimpleCommand, valueOf } from '../parse/simple-command.ts'

/** Directories whose programs are those of the system. */
const SYSTEM_DIRECTORY = /^\/(?:usr\/)?(?:local\/)?s?bin\/([^/]+)$/

/**
 * The program of a command by the name that the tables know: without the directory where that is one of the system. Another
 * path stays whole, because `./ls` is not `ls`. Undefined: not known before it runs, or none.
 */
export function programName({ words }: SimpleCommand): string | undefined {
  const name = valueOf(words[0])
  if (name === undefined || !name.includes('/')) return name
  return SYSTEM_DIRECTORY.exec(name)?.[1] ?? name
}
