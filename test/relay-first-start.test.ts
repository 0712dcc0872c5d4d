import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { Client } from '@cmdop/core'
import { openSqliteStore, startRelay } from '@cmdop/relay'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { codeOf } from './code-of.ts'
import { waitFor } from './wait-for.ts'

let dataDir = ''
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'cmdop-first-'))
})
afterEach(() => rm(dataDir, { recursive: true, force: true }))

const settings = () => ({ dataDir, port: 0, logLevel: 'silent' as const })

/** How many fleets, members and keys there are. */
function counts(): unknown {
  using database = new DatabaseSync(join(dataDir, 'relay.sqlite'), { readOnly: true })
  const count = (table: string) => database.prepare(`select count(*) as count from ${table}`).get()?.['count']
  return { fleets: count('fleets'), principals: count('principals'), keys: count('api_keys') }
}

const one = { fleets: 1, principals: 1, keys: 1 }

test('The first start of a relay makes one owner key, which is good, and later ones make none', async () => {
  await using relay = await startRelay(settings())
  await using client = new Client({ baseUrl: relay.url, token: relay.firstKey ?? '' })
  expect(await codeOf(() => client.me())).toBe('ok')
  await relay.close()
  await using again = await startRelay(settings())
  expect(again.firstKey).toBeUndefined()
  expect(counts()).toEqual(one)
})

test('A first start that ends between fleet and key leaves neither, and the next one makes both', async () => {
  const file = join(dataDir, 'relay.sqlite')
  await (await openSqliteStore({ file })).close()
  {
    using database = new DatabaseSync(file)
    database.exec(`create trigger ended before insert on api_keys begin select raise(abort, 'ended here'); end`)
  }
  await expect(startRelay(settings())).rejects.toThrow()
  {
    using database = new DatabaseSync(file)
    database.exec('drop trigger ended')
  }
  expect(counts()).toEqual({ fleets: 0, principals: 0, keys: 0 })
  await using relay = await startRelay(settings())
  expect(relay.firstKey).toMatch(/^cmdop_human_/)
  expect(counts()).toEqual(one)
})

test('A relay that is killed as soon as there is a fleet has made its key, and a new one can be issued', async () => {
  const entry = fileURLToPath(new URL('./processes/relay-process.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=@cmdop/source', entry, JSON.stringify(settings())], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const gone = once(child, 'exit')
  const hasFleet = async () => {
    try {
      return (counts() as typeof one).fleets === 1
    } catch {
      // Not there yet, or busy.
      return false
    }
  }
  await waitFor('there is a fleet', hasFleet, 20_000)
  child.kill('SIGKILL')
  await gone
  expect(counts()).toEqual(one)
  await using relay = await startRelay(settings())
  expect(relay.firstKey).toBeUndefined()
  await using client = new Client({ baseUrl: relay.url, token: await relay.issueOwnerKey('way back') })
  expect(await codeOf(() => client.me())).toBe('ok')
})
