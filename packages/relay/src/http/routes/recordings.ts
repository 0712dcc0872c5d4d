import { CmdopError, RecordingId, RecordingList, RecordingListQuery, RecordingSummary } from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Caller } from '../../auth/authenticate.ts'
import type { Blobs } from '../../recordings/blobs.ts'
import type { RecordingRow } from '../../store/store.ts'
import type { HttpContext } from '../context.ts'
import { formatCursor, parseCursor } from '../cursor.ts'
import { type AuditedAct, audited } from '../audited.ts'
import { assertInScope, guardList } from '../guard.ts'
import { readableWhile, watchRight } from '../standing-right.ts'

/** Bytes that are read at once. */
const READ_BYTES = 256 * 1024

const RecordingParams = z.object({ recording: RecordingId.describe('Id of the recording') })
const Part = z.object({
  offset: z.coerce.number().int().min(0).default(0).describe('Bytes of the recording before this part'),
  length: z.coerce.number().int().min(0).optional().describe('Bytes at most; absent: all that there is'),
})

/** Recordings of the caller's fleet. */
export function recordingRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const { store, blobs } = context
  const ownRecording = async (caller: Caller, id: string) => {
    const row = await store.recordings.get(id)
    if (row?.fleetId !== caller.fleetId)
      throw new CmdopError('not_found', 'There is no such recording in your fleet; see: cmdop recordings.')
    await assertInScope(store, caller, 'recording.read', row.machineId)
    return row
  }
  return async (app) => {
    app.get(
      '/api/recordings',
      {
        schema: {
          summary: 'Recordings of your fleet, the newest first',
          querystring: RecordingListQuery,
          response: { 200: RecordingList },
        },
      },
      async (request) => {
        const { limit, cursor, machineId, subjectId, kind } = request.query
        const { fleetId } = await guardList(context, request, 'recording.read', machineId)
        const rows = await store.recordings.list(fleetId, {
          limit: limit + 1,
          ...(cursor === undefined ? {} : { after: parseCursor('startedAt', cursor) }),
          ...(machineId === undefined ? {} : { machineId }),
          ...(subjectId === undefined ? {} : { subjectId }),
          ...(kind === undefined ? {} : { kind }),
        })
        const items = await Promise.all(rows.slice(0, limit).map((row) => summary(blobs, row)))
        const has_more = rows.length > limit
        return {
          items,
          next_cursor: has_more
            ? formatCursor(items.at(-1), ({ startedAt, recordingId }) => [startedAt, recordingId])
            : null,
          has_more,
        }
      },
    )

    app.get(
      '/api/recordings/:recording',
      { schema: { summary: 'One recording', params: RecordingParams, response: { 200: RecordingSummary } } },
      async (request) => {
        const { recording } = request.params
        const row = await audited(context, request, readingOf(recording), async (caller, note) => {
          const row = await ownRecording(caller, recording)
          note({ machineId: row.machineId, callId: row.subjectId })
          return row
        })
        return summary(blobs, row)
      },
    )

    app.get(
      '/api/recordings/:recording/content',
      {
        schema: {
          summary: 'Its asciicast file, or a part of it',
          params: RecordingParams,
          querystring: Part,
          response: { 200: z.string().describe('asciicast v2') },
        },
      },
      async (request, reply) => {
        const { recording } = request.params
        const { offset, length = Number.POSITIVE_INFINITY } = request.query
        const { row, bytes, right } = await audited(context, request, readingOf(recording), async (caller, note) => {
          const row = await ownRecording(caller, recording)
          const bytes = Math.max(0, Math.min(length, (await storedBytes(blobs, row)) - offset))
          note({ bytes, offset, machineId: row.machineId, callId: row.subjectId })
          return { row, bytes, right: watchRight(context, caller, 'recording.read') }
        })
        const content = readableWhile(right, parts(blobs, row, { offset, bytes }))
        return reply
          .type('application/x-asciicast')
          .header('content-length', bytes)
          .send(content as never)
      },
    )
  }
}

function readingOf(recording: string): AuditedAct {
  return { action: 'recording.read', subject: `recording:${recording}`, anyMachine: true }
}

async function* parts(blobs: Blobs, { blob, blobOffset }: RecordingRow, part: { offset: number; bytes: number }) {
  for (let done = 0; done < part.bytes;) {
    const data = await blobs.read(blob, blobOffset + part.offset + done, Math.min(READ_BYTES, part.bytes - done))
    if (data.length === 0) throw new CmdopError('server', 'The content of the recording is shorter than it was.')
    done += data.length
    yield data
  }
}

async function summary(blobs: Blobs, row: RecordingRow): Promise<RecordingSummary> {
  return { ...row.subject, state: row.state, storedBytes: await storedBytes(blobs, row), manifest: row.manifest }
}

async function storedBytes(blobs: Blobs, row: RecordingRow): Promise<number> {
  return row.bytes ?? blobs.size(row.blob)
}
