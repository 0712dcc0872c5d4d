import { CmdopError } from '@cmdop/protocol'

/** The error of a run that does not go as it went: as its journal says or, where a file is given, as its cassette does. */
export function drift(where: string, difference: string, cassette?: string): CmdopError {
  const [what, remedy] =
    cassette === undefined
      ? ['The run does not go as it went.', '']
      : [`The run is not the one on the cassette ${cassette}.`, ' Record it again if that is meant.']
  return new CmdopError('conflict', `${what} At ${where}: ${difference}.${remedy}`, {
    details: { at: where, difference },
  })
}

/** A text without what is new each time a run is gone through: how long something took, its nonce, its file of variables. */
export function steadyText(text: string): string {
  return text
    .replace(/\b\d+ ms\b/g, '<time>')
    .replace(/data-[0-9a-f]{24}/g, 'data-<nonce>')
    .replace(/[^\s"']*\/cmdop-run-[0-9a-f]{24}/g, '<variables>')
}
