import { CmdopError, RecordingBatch, RecordingManifest, RecordingSubject } from '@cmdop/protocol'
import type { MachineRequests, RelayRequest } from '../recordings/machine-requests.ts'

/** What a relay is to recordings, in memory. */
export interface RecordingRelay extends Pick<MachineRequests, 'send'> {
  /** Whole or so far, by id. */
  readonly contents: Map<string, Buffer>
  readonly manifests: Map<string, RecordingManifest>
  /** Every path that was asked for. */
  readonly paths: string[]
  /** Throws what the next requests meet before they do anything. */
  before: () => void
  /** The same, after they have done it: the answer is lost. */
  after: () => void
}

/** A relay that takes everything. */
export function createRecordingRelay(): RecordingRelay {
  const contents = new Map<string, Buffer>()
  const manifests = new Map<string, RecordingManifest>()
  const paths: string[] = []
  const handle = ({ path, body }: RelayRequest): number => {
    const { pathname, searchParams } = new URL(path, 'http://relay')
    const [, , , id = '', what] = pathname.split('/')
    if (what === 'content') return append(contents, { id, offset: Number(searchParams.get('offset')), body })
    const json: unknown = JSON.parse(Buffer.from(body).toString())
    if (id === 'batch') {
      for (const item of RecordingBatch.parse(json).items) {
        contents.set(item.subject.recordingId, Buffer.from(item.content))
        manifests.set(item.subject.recordingId, item.manifest)
      }
    } else if (what === 'manifest') manifests.set(id, RecordingManifest.parse(json))
    else {
      const { recordingId } = RecordingSubject.parse(json)
      contents.set(recordingId, contents.get(recordingId) ?? Buffer.alloc(0))
      return contents.get(recordingId)?.length ?? 0
    }
    return 0
  }
  const relay: RecordingRelay = {
    contents,
    manifests,
    paths,
    before: () => {},
    after: () => {},
    send: async (request) => {
      paths.push(request.path)
      relay.before()
      const storedBytes = handle(request)
      relay.after()
      return { storedBytes }
    },
  }
  return relay
}

/** A relay that cannot be reached. */
export function away(): never {
  throw new CmdopError('connection', 'The relay cannot be reached.')
}

function append(contents: Map<string, Buffer>, part: { id: string; offset: number; body: Uint8Array }): number {
  const { id, offset, body } = part
  const stored = contents.get(id)
  if (stored === undefined) throw new CmdopError('not_found', 'There is no such recording.')
  if (offset > stored.length)
    throw new CmdopError('conflict', 'There is a gap.', { details: { storedBytes: stored.length } })
  const whole = Buffer.concat([stored, body.subarray(stored.length - offset)])
  contents.set(id, whole)
  return whole.length
}
