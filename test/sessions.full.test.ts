import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Attachment } from '@cmdop/core'
import { describe, expect, test } from 'vitest'
import { checkFlood, checkPrintAndExit, openQuiet, readToEnd } from './session-output.ts'
import { startWorld, type World } from './world.ts'

/** Bytes that 50 observers may cost the daemon: what is under way to each, and a screen. */
const OBSERVERS_BYTES = 64 * 1024 * 1024

describe('the output of a session', { timeout: 600_000 }, () => {
  test('arrives at an operator to the last byte: a flood, 20 times', async () => {
    await using world = await startWorld()
    await checkFlood(world, 20)
  })

  test('arrives at an operator to the last byte: 20 kB and an end at once, 200 times', async () => {
    await using world = await startWorld()
    await checkPrintAndExit(world, 200)
  })

  test('is as quick with 50 observers, one of which reads 1 kB/s, and costs the daemon no more', async () => {
    await using world = await startWorld({ separateProcesses: true })
    // In turns, and the best of each: whatever else runs on this machine only makes it slower.
    const alone: number[] = []
    const watched: number[] = []
    for (let round = 0; round < 7; round += 1) {
      alone.push(await timeFlood(world, 0))
      watched.push(await timeFlood(world, 50))
    }
    expect(Math.min(...watched) / Math.min(...alone)).toBeLessThan(1.1)
  })
})

/** Milliseconds of a flood at its operator. */
async function timeFlood(world: World, observers: number): Promise<number> {
  await using attachment = await openQuiet(world)
  const session = await world.handle.sessions.get(attachment.sessionId)
  const others = await Promise.all(Array.from({ length: observers }, () => session.observe()))
  const stop = new AbortController()
  const reading = others.map((other, index) => (index === 0 ? readSlowly(other, stop.signal) : readToEnd(other)))
  const before = residentBytes(world)
  const startedAt = performance.now()
  await attachment.write('seq 1 2000000; exit\n')
  let most = 0
  const watching = setInterval(() => {
    most = Math.max(most, residentBytes(world))
  }, 100)
  await readToEnd(attachment)
  const ms = performance.now() - startedAt
  clearInterval(watching)
  stop.abort()
  await Promise.all(reading)
  if (observers > 0) expect(most - before).toBeLessThan(OBSERVERS_BYTES)
  return ms
}

/** Reads 1 kB each second. */
async function readSlowly(attachment: Attachment, signal: AbortSignal): Promise<void> {
  let bytes = 0
  for await (const event of attachment) {
    if (signal.aborted) return
    if (event.type === 'output' || event.type === 'snapshot') bytes += event.data.length
    while (bytes >= 1000 && !signal.aborted) {
      await sleep(1000, undefined, { signal }).catch(() => {})
      bytes -= 1000
    }
  }
}

function residentBytes({ machine }: World): number {
  const status = readFileSync(`/proc/${machine.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024
}
