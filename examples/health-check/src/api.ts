import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, installService, type seeded, type Service } from '@cmdop/example-local-system'

/** `config.json` of the service. */
export interface ApiConfig {
  readonly port: number
  /** It answers 507 while `tmp` has more. */
  readonly tmpBytes: number
}

export const faultNames = ['several', 'none', 'stopped', 'hung', 'full'] as const
export type FaultName = (typeof faultNames)[number]

/** The service that each machine has. */
export interface Api extends Service {
  readonly port: number
  /** Whether it answers within three seconds. */
  answers(): Promise<boolean>
  break(fault: FaultName, seed: ReturnType<typeof seeded>): Promise<void>
}

export async function startApi(folder: string): Promise<Api> {
  const service = await installService(folder, 'api', fileURLToPath(new URL('api-service.ts', import.meta.url)))
  const port = await freePort()
  await mkdir(join(folder, 'tmp'))
  await writeFile(join(folder, 'config.json'), JSON.stringify({ port, tmpBytes: 100_000 } satisfies ApiConfig))
  await service.start()
  const answers = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(3000) }).catch(
      () => undefined,
    )
    return answer?.ok === true
  }
  const faults: Record<Exclude<FaultName, 'several'>, (seed: ReturnType<typeof seeded>) => Promise<unknown>> = {
    none: async () => {},
    stopped: () => service.stop(),
    hung: async () => process.kill((await service.pid()) ?? 0, 'SIGSTOP'),
    full: (seed) =>
      writeFile(join(folder, 'tmp', `upload-${seed.between(1, 999)}.tmp`), Buffer.alloc(seed.between(101, 300) * 1000)),
  }
  return {
    ...service,
    port,
    answers,
    break: async (fault, seed) =>
      void (await faults[fault === 'several' ? seed.of(['none', 'stopped', 'hung', 'full'] as const) : fault](seed)),
  }
}
