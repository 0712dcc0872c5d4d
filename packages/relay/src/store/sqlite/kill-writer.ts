/**
 * A process for the kill tests: writes to the store named by its one argument as fast as it can, forever, and prints a
 * line for each row that the store has acknowledged: `fleet <id>`, `audit <id>`, `machine <id>`. SIGKILL ends it.
 */
import { randomUUID } from 'node:crypto'
import { auditRow, sealedRows, fleetRow, machineRow, principalRow, tokenRow } from '../conformance/world.ts'
import { openSqliteStore } from '../sqlite-store.ts'

/** Enough at once for groups of many statements, with transactions between them. */
const auditWriters = 30
const enrollers = 3

const store = await openSqliteStore({ file: process.argv[2] ?? '' })
const fleetId = randomUUID()
const owner = principalRow(fleetId, { id: randomUUID() })
const token = tokenRow(owner, { id: fleetId, maxUses: 1_000_000 })
await store.fleets.create(fleetRow({ id: fleetId, slug: fleetId }), owner)
await store.enrollmentTokens.create(token)
acknowledge('fleet', fleetId)
await Promise.all([
  ...Array.from({ length: auditWriters }, writeAudit),
  ...Array.from({ length: enrollers }, enrollMachines),
])

async function writeAudit(): Promise<void> {
  for (;;) {
    const id = randomUUID()
    await store.audit.append(sealedRows([auditRow(fleetId, { id })]))
    acknowledge('audit', id)
  }
}

async function enrollMachines(): Promise<void> {
  for (;;) {
    const id = randomUUID()
    await store.machines.enroll(machineRow(fleetId, { id, name: id }), token.id)
    acknowledge('machine', id)
  }
}

/** Pipes are written synchronously, so a line that was printed has left the process when it dies. */
function acknowledge(kind: string, id: string): void {
  process.stdout.write(`${kind} ${id}\n`)
}
