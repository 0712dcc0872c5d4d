import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Decide, type LocalSystem, modelOr, seeded, startColleague, type Story } from '@cmdop/example-local-system'
import { type FaultName, faults } from './faults.ts'
import { startOrders } from './orders.ts'
import { respond } from './respond.ts'
import { standIn } from './stand-in.ts'

export interface IncidentOptions extends Story {
  readonly fault: FaultName
  readonly seed: number
  /** The person at this terminal decides. */
  readonly ask?: boolean
  readonly decide?: Decide
}

/**
 * Breaks a service, has an operator respond while a second person answers its questions, and looks at the machine: it takes orders
 * again, and what was broken is repaired; or nothing was changed, where nobody could or wanted to.
 */
export async function incident(system: LocalSystem, { fault: name, seed, ...story }: IncidentOptions) {
  const { say, signal } = story
  await using scene = new AsyncDisposableStack()
  const root = await mkdtemp(join(tmpdir(), 'cmdop-incident-'))
  scene.defer(() => rm(root, { recursive: true, force: true }))
  const orders = scene.use(await startOrders(join(root, 'orders')))
  assert(await orders.takesOrders())
  const fault = await faults[name](orders, seeded(seed), scene)
  const worked = await orders.takesOrders()
  say(`broken    ${name}; orders are ${worked ? '' : 'not '}taken`)

  const ann = scene.use(startColleague(await system.person('Ann'), story))
  const operator = await system.operator(modelOr(standIn))
  const { folder, log, control } = orders
  const service = { name: 'orders', url: `http://127.0.0.1:${orders.config.port}/health`, folder, log, control }
  const symptom = 'customers say that they cannot order'
  const { analysis, ending } = await respond(operator, { server: 'shop-1', symptom, service }, signal)
  say(`cause     ${analysis.root_cause}`)

  const works = await orders.takesOrders()
  say(`ending    ${ending}; orders are ${works ? '' : 'not '}taken`)
  if (ending === 'repaired' || ending === 'nothing-to-do') {
    assert(works, `the operator says ${ending}, and the service takes no orders`)
    await fault.assertRepaired()
  } else assert.equal(works, worked, 'somebody has to look at it, and yet it was changed')
  return { ending, works, asked: ann.asked, approved: ann.approved, orders, fault }
}
