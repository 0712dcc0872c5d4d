import { isCmdopError } from '@cmdop/protocol'

/** `ok`, or the code of the error that it fails with. */
export async function codeOf(act: () => PromiseLike<unknown>): Promise<string> {
  try {
    await act()
    return 'ok'
  } catch (error) {
    if (isCmdopError(error)) return error.code
    throw error
  }
}
