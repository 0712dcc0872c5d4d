import { createHash } from 'node:crypto'
import type { Attachment } from '@cmdop/core'
import { expect } from 'vitest'
import { watch } from './watch.ts'
import type { World } from './world.ts'

/** What `seq 1 2000000` puts out on a terminal: each line with a return. */
const SEQ_BYTES = 16_888_896

/** Every byte of a flood arrives at an operator, so many times. The answer is how long each took, in milliseconds. */
export async function checkFlood(world: World, runs: number): Promise<number[]> {
  const expected = createHash('sha256')
  for (let number = 1; number <= 2_000_000; number += 1) expected.update(`${number}\r\n`)
  const digest = expected.digest('hex')
  const times: number[] = []
  for (let run = 0; run < runs; run += 1) {
    await using attachment = await openQuiet(world)
    const startedAt = performance.now()
    await attachment.write('exec seq 1 2000000\n')
    const output = await readToEnd(attachment)
    times.push(performance.now() - startedAt)
    expect(output.bytes).toBe(SEQ_BYTES)
    expect(output.digest).toBe(digest)
  }
  return times
}

/** Every byte of 20 kB and an end at once arrives at an operator, so many times. */
export async function checkPrintAndExit(world: World, runs: number): Promise<void> {
  const line = 'x'.repeat(98)
  const whole = createHash('sha256').update(`${line}\r\n`.repeat(200)).digest('hex')
  for (let run = 0; run < runs; run += 1) {
    await using attachment = await openQuiet(world)
    await attachment.write(`yes ${line} | head -n 200; exit\n`)
    expect(await readToEnd(attachment)).toEqual({ bytes: 20_000, digest: whole })
  }
}

/** An operator in a new session whose shell repeats nothing and is ready. */
export async function openQuiet(world: World): Promise<Attachment> {
  const session = await world.handle.sessions.open({ shell: 'sh', env: { PS1: '' } })
  const attachment = await session.attach()
  await attachment.write('stty -echo; PS1=; echo read""y\n')
  await watch(attachment).until('ready\r\n')
  return attachment
}

/** The output from here to the end of the session. */
export async function readToEnd(attachment: Attachment): Promise<{ bytes: number; digest: string }> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const event of attachment) {
    if (event.type !== 'output') continue
    hash.update(event.data)
    bytes += event.data.length
  }
  return { bytes, digest: hash.digest('hex') }
}
