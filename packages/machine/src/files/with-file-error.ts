import { fileError } from '@cmdop/protocol'

/** The work, with its failure as the error for the path. */
export async function withFileError<Value>(path: Buffer, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work()
  } catch (cause) {
    throw fileError(cause, path.toString())
  }
}
