import assert from 'node:assert/strict'
import { embedded, ExecError } from 'cmdop'

await using local = await embedded()
const { machine } = local

// A command is awaited for its whole result,
const result = await machine.exec(['df', '-k', '/'], { deadlineMs: 10_000 })
assert.equal(result.exitCode, 0)

// or iterated for complete output,
let bytes = 0
for await (const { stream, data } of machine.exec('seq 1 200000')) {
  if (stream === 'stdout') bytes += data.length
}
assert.equal(bytes, 1_288_895)

// and ended at its deadline, with what it had put out until then.
const error = await machine
  .exec('echo begun; sleep 60', { deadlineMs: 500 })
  .then(undefined, (reason: unknown) => reason)
assert(error instanceof ExecError && error.code === 'deadline')
assert.equal(error.result?.stdout, 'begun\n')
