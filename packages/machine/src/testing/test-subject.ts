import type { RecordingSubject } from '@cmdop/protocol'

let made = 0

/** What a recording may be of; each has an id of its own. */
export function testSubject(change: Partial<RecordingSubject> = {}): RecordingSubject {
  made += 1
  const number = String(made).padStart(8, '0')
  return {
    recordingId: `rec_${number}`,
    kind: 'session',
    subjectId: `call_${number}`,
    machineId: 'mch_one',
    fleetId: 'flt_one',
    principalId: 'prn_one',
    principalKind: 'human',
    principalName: 'One',
    onBehalfOf: null,
    intentId: `aud_${number}`,
    title: 'a session',
    reason: null,
    startedAt: '2030-01-01T00:00:00.000Z',
    ...change,
  }
}
