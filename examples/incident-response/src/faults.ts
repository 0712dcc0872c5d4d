import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { seeded } from '@cmdop/example-local-system'
import { type Orders, startOrders } from './orders.ts'

export const faultNames = [
  'none',
  'hung',
  'stale-lock',
  'port-taken',
  'wrong-config',
  'full-spool',
  'lost-ledger',
] as const

/** What may be broken. `none` is the control: nothing is. */
export type FaultName = (typeof faultNames)[number]

/** What a fault has left to look at. */
export interface Fault {
  /** Whether an operator can repair it with what a person approves. */
  readonly repairable: boolean
  /** Reads the machine: asserts that this fault, and nothing else, was repaired. */
  assertRepaired(): Promise<void>
}

type Break = (orders: Orders, seed: ReturnType<typeof seeded>, after: AsyncDisposableStack) => Promise<Fault>

/** How each fault comes about; for the same seed in the same way. */
export const faults: Readonly<Record<FaultName, Break>> = {
  none: async (orders) => {
    const pid = await orders.pid()
    return { repairable: false, assertRepaired: async () => assert.equal(await orders.pid(), pid) }
  },

  hung: async (orders) => {
    const pid = (await orders.pid()) ?? 0
    process.kill(pid, 'SIGSTOP')
    return {
      repairable: true,
      assertRepaired: async () =>
        assert.equal(/\) T /.test(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')), false),
    }
  },

  'stale-lock': async (orders) => {
    const pid = (await orders.pid()) ?? 0
    process.kill(pid, 'SIGKILL')
    while (!(await isGone(pid))) await wait(10)
    await failsToStart(orders)
    return {
      repairable: true,
      assertRepaired: async () => {
        const lock = await readFile(join(orders.folder, 'run', 'lock'), 'utf8')
        assert.equal(Number(lock), await orders.pid())
      },
    }
  },

  'port-taken': async (orders, _, after) => {
    await orders.stop()
    const old = after.use(await startOrders(`${orders.folder}-old`, orders.config.port))
    const pid = (await old.pid()) ?? 0
    await failsToStart(orders)
    return { repairable: true, assertRepaired: async () => assert(await isGone(pid), 'the old release still runs') }
  },

  'wrong-config': async (orders, seed) => {
    const store = orders.config.store.replace(/store$/, seed.of(['stroe', 'stores', 'Store', 'stor']))
    await writeFile(join(orders.folder, 'config.json'), JSON.stringify({ ...orders.config, store }))
    await orders.stop()
    await orders.start()
    return {
      repairable: true,
      assertRepaired: async () => {
        const now: unknown = JSON.parse(await readFile(join(orders.folder, 'config.json'), 'utf8'))
        assert.deepEqual(now, orders.config)
      },
    }
  },

  'full-spool': async (orders, seed) => {
    const spool = join(orders.folder, 'spool')
    const waiting = seed.between(1, 9)
    const delivered = orders.config.spoolFiles - waiting
    for (let number = 0; number < delivered; number += 1) await writeFile(join(spool, `${number}.done`), '{}')
    for (let number = 0; number < waiting; number += 1) await writeFile(join(spool, `${number}.order`), '{}')
    return {
      repairable: true,
      assertRepaired: async () => {
        const left = await readdir(spool)
        const kept = left.filter((name) => /^\d\.order$/.test(name))
        assert.equal(kept.length, waiting, 'an order that nobody had delivered is gone')
        assert(left.length < orders.config.spoolFiles)
      },
    }
  },

  'lost-ledger': async (orders, seed) => {
    const ledger = join(orders.folder, 'store', 'ledger.json')
    const rest = '{ "paid": ["a", "b"] }'.slice(0, seed.between(2, 20))
    await writeFile(ledger, rest)
    return { repairable: false, assertRepaired: async () => assert.equal(await readFile(ledger, 'utf8'), rest) }
  },
}

/** The service is tried, as its users do, and says in its log why not. */
async function failsToStart(orders: Orders): Promise<void> {
  await assert.rejects(orders.start())
}

async function isGone(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => ') X ')
  return /\) [ZX] /.test(stat)
}
