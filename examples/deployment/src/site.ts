import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort, installService, type Service } from '@cmdop/example-local-system'

/** Where the service runs on a machine: releases side by side, and a link to the one that runs. */
export interface Site extends Service {
  /** The version that answers; undefined when nothing does. */
  version(): Promise<string | undefined>
}

/** A folder for it on a free port. `settings`: more of its `config.json`. */
export async function prepareSite(folder: string, settings: object): Promise<Site> {
  const port = await freePort()
  await mkdir(join(folder, 'releases'), { recursive: true })
  await writeFile(join(folder, 'config.json'), JSON.stringify({ port, ...settings }))
  const service = await installService(folder, 'web', join(folder, 'current', 'server.ts'))
  const version = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(10_000) }).catch(
      () => undefined,
    )
    return answer === undefined ? undefined : ((await answer.json()) as { version: string }).version
  }
  return { ...service, version }
}

/** Begins with this release, which is there already. */
export async function startSite(site: Site, version: string): Promise<void> {
  await symlink(join('releases', version), join(site.folder, 'current'))
  await site.start()
}
