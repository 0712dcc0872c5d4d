import { join } from 'node:path'
import type { MachineCapabilities } from '@cmdop/protocol'
import { Sandboxes } from './sandboxes.ts'

/** Which restrictions this machine can hold, with or without its daemon, in whose folder it is kept until the system starts again. */
export async function readCapabilities({ dataDir }: { dataDir: string }): Promise<MachineCapabilities> {
  await using sandboxes = new Sandboxes(join(dataDir, 'restricted'), [dataDir])
  return await sandboxes.capabilities()
}
