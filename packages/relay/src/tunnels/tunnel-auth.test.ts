import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { TunnelRow } from '../store/tunnel-store.ts'
import { createTunnelSecret, TunnelVisitors } from './tunnel-auth.ts'

// The minute in which wrong passwords are counted does not pass, however slow the computer is.
beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

/** As much of a tunnel as is looked at. */
async function tunnelOf(id: string) {
  const { hash: authHash, password } = await createTunnelSecret('basic', { username: 'cmdop' })
  return { row: { id, auth: 'basic', authHash } as TunnelRow, right: basic(`cmdop:${password}`) }
}

test('Who shows wrong passwords is not looked at for a while, and others are: of other addresses, and of other tunnels', async () => {
  const visitors = new TunnelVisitors()
  const [one, other] = await Promise.all([tunnelOf('tun_1'), tunnelOf('tun_2')])
  const wrong = Array.from({ length: 14 }, (_, count) =>
    visitors.mayVisit(one.row, basic(`cmdop:${count}`), '192.0.2.1'),
  )
  const answers = await Promise.allSettled(wrong)
  expect(answers.filter(({ status }) => status === 'fulfilled')).toEqual(
    Array.from({ length: 10 }, () => ({ status: 'fulfilled', value: false })),
  )
  await expect(visitors.mayVisit(one.row, one.right, '192.0.2.1')).rejects.toMatchObject({ code: 'rate_limit' })
  expect(await visitors.mayVisit(other.row, other.right, '192.0.2.1')).toBe(true)
  expect(await visitors.mayVisit(one.row, one.right, '192.0.2.2')).toBe(true)
  // A password that was right before costs nothing.
  expect(await visitors.mayVisit(one.row, one.right, '192.0.2.1')).toBe(true)
})
