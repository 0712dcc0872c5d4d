import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { embedded, recordedBytes } from 'cmdop'

await using local = await embedded()
const { client, machine } = local

// Every command and every session is recorded. Soon after its end, the relay has all of it.
const execution = machine.exec('echo checked; echo "disk is full" >&2; exit 2')
const result = await execution
while ((await client.recordings.list({ subjectId: execution.callId })).items.length === 0) await sleep(50)

// Who, where, what and how it ended,
const recording = await client.recordings.get(execution.callId)
assert.equal(recording.title, 'echo checked; echo "disk is full" >&2; exit 2')
assert.equal(recording.machineId, machine.id)
assert.equal(recording.principalKind, 'human')
assert.equal(recording.state, 'complete')
assert.equal(recording.manifest?.exitCode, 2)

// what happened when,
const events = await Array.fromAsync(client.recordings.events(recording.recordingId))
for (const event of events) if (event.type === 'output') assert(event.time >= 0 && event.text.length > 0)

// and the bytes that were put out, exactly.
assert.deepEqual(Buffer.from(recordedBytes(events, 'stderr')), Buffer.from(result.stderrData))
