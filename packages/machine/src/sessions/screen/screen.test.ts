import { SNAPSHOT_HEADER_BYTES } from '@cmdop/protocol'
import { describe, expect, test } from 'vitest'
import { temporaryFolder } from '../../testing/temporary-folder.ts'
import { Scrollback } from '../scrollback/scrollback.ts'
import { Screen } from './screen.ts'
import { ScreenThread } from './screen-thread.ts'

const size = { columns: 40, rows: 5 }

describe('the screen of a session', () => {
  test('is painted at an exact offset, with the size it had there', async () => {
    await using folder = await temporaryFolder()
    await using thread = new ScreenThread()
    await using scrollback = new Scrollback(folder.path)
    const screen = new Screen(thread, scrollback, size)
    scrollback.append(Buffer.from('first'))
    screen.resize({ columns: 50, rows: 6 })
    scrollback.append(Buffer.from(' second'))
    const [one, same] = await Promise.all([screen.snapshot(), screen.snapshot()])
    expect(same).toBe(one)
    expect(one).toMatchObject({ offset: 12, size: { columns: 50, rows: 6 } })
    const header = Buffer.from(one.message).subarray(0, SNAPSHOT_HEADER_BYTES)
    expect(header.readBigUInt64BE(0)).toBe(12n)
    expect(header.readUInt32BE(8)).toBe(one.message.length - SNAPSHOT_HEADER_BYTES)
    expect([header.readUInt16BE(12), header.readUInt16BE(14)]).toEqual([50, 6])
    expect(paintOf(one.message)).toContain('first second')
    screen.close()
  })

  test('after 16 MB of output is there in a moment', async () => {
    await using folder = await temporaryFolder()
    await using thread = new ScreenThread()
    await using scrollback = new Scrollback(folder.path)
    const screen = new Screen(thread, scrollback, size)
    const lines = Buffer.from('some output of a program that says much\r\n'.repeat(1600))
    const painted = Promise.withResolvers<void>()
    screen.onProgress = () => {
      if (screen.behind === 0 && scrollback.end > 16_000_000) painted.resolve()
    }
    while (scrollback.end <= 16_000_000) {
      scrollback.append(lines)
      screen.more()
      await new Promise(setImmediate)
    }
    await painted.promise
    const startedAt = performance.now()
    const { offset } = await screen.snapshot()
    expect(offset).toBe(scrollback.end)
    expect(performance.now() - startedAt).toBeLessThan(1000)
    screen.close()
  })

  test('is lost with its thread, and goes on from there with a new one', async () => {
    await using folder = await temporaryFolder()
    await using thread = new ScreenThread()
    await using scrollback = new Scrollback(folder.path)
    const screen = new Screen(thread, scrollback, size)
    scrollback.append(Buffer.from('before\r\n'))
    await screen.snapshot()
    await thread.restart()
    scrollback.append(Buffer.from('after\r\n'))
    const { offset, message } = await screen.snapshot()
    expect(offset).toBe(15)
    expect(paintOf(message)).toContain('after')
    expect(paintOf(message)).not.toContain('before')
    screen.close()
  })
})

function paintOf(message: Uint8Array): string {
  return Buffer.from(message).subarray(SNAPSHOT_HEADER_BYTES).toString()
}
