import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LocalSystem, modelOr, seeded, type Story } from '@cmdop/example-local-system'
import { monitor } from './monitor.ts'
import { OnCall } from './on-call.ts'
import { startPager } from './pager.ts'
import { standIn } from './stand-in.ts'
import { type FaultName, startWorker } from './worker.ts'

export const servers = ['web-1', 'web-2'] as const

export interface MonitoringOptions extends Story {
  readonly fault: FaultName
  readonly seed: number
}

/**
 * Watches two servers for four rounds. After the first, something breaks on one of them; after the third it is mended. In every
 * round the alerts are what the machine says is beyond its threshold, and people are woken once, if at all.
 */
export async function monitoringStory(system: LocalSystem, { fault, seed, say, signal }: MonitoringOptions) {
  await using scene = new AsyncDisposableStack()
  const root = await mkdtemp(join(tmpdir(), 'cmdop-monitoring-'))
  scene.defer(() => rm(root, { recursive: true, force: true }))
  const workers = Object.fromEntries(
    await Promise.all(
      servers.map(async (name) => [name, scene.use(await startWorker(join(root, name), name))] as const),
    ),
  )
  const pager = scene.use(await startPager())
  const onCall = new OnCall(pager.url)
  const operator = await system.operator(modelOr(standIn))
  const choices = seeded(seed)
  const broken = choices.of(servers)

  let round = 0
  let mend = async () => {}
  const seen: number[] = []
  const watched = Object.fromEntries(servers.map((name) => [name, workers[name]?.watched ?? {}]))
  for await (const alerts of monitor(operator, { servers: watched, everyMs: 10, signal })) {
    round += 1
    await onCall.take(alerts)
    for (const { hostname, metric, value, severity } of alerts)
      say(`round ${round}   ${hostname}: ${metric} is ${value} (${severity})`)
    for (const name of servers)
      assert.deepEqual(
        alerts.filter(({ hostname }) => hostname === name).map(({ metric }) => metric),
        await workers[name]?.truth(),
      )
    seen.push(alerts.length)
    if (round === 1) mend = (await workers[broken]?.break(fault, choices)) ?? mend
    if (round === 3) await mend()
    if (round === 4) break
  }
  for (const { event, hostname, metric } of pager.pages) say(`${event.padEnd(10)}${hostname}: ${metric}`)
  return { broken, alerts: seen, pages: pager.pages }
}
