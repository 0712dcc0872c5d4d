import {
  CmdopError,
  MAX_RECORDING_CHUNK_BYTES,
  RecordingAcknowledged,
  RecordingBatch,
  RecordingId,
  RecordingManifest,
  RecordingSubject,
} from '@cmdop/protocol'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { RecordingUploads } from '../../recordings/uploads.ts'
import type { HttpContext } from '../context.ts'
import { takeSignedRequests } from '../signed-requests.ts'

const RecordingParams = z.object({ recording: RecordingId.describe('Id of the recording') })
const Offset = z.object({ offset: z.coerce.number().int().min(0).describe('Bytes of the recording before this chunk') })
const response = { 200: RecordingAcknowledged }
const security = [{ machine: [] }]

/** What machines send of their recordings; each request is signed with the machine's key. */
export function recordingUploadRoutes(context: HttpContext): FastifyPluginAsyncZod {
  const uploads = new RecordingUploads(context)
  return async (app) => {
    const { machineOf, bodyOf } = takeSignedRequests(app, context)

    app.post(
      '/api/recordings',
      { schema: { summary: 'A recording begins', security, body: RecordingSubject, response } },
      async (request) => ({ storedBytes: await uploads.begin(machineOf(request), request.body) }),
    )

    app.post(
      '/api/recordings/batch',
      { schema: { summary: 'Short recordings that are over', security, body: RecordingBatch, response } },
      async (request) => ({ storedBytes: await uploads.addBatch(machineOf(request), request.body) }),
    )

    app.put(
      '/api/recordings/:recording/content',
      { schema: { summary: 'More of a recording', security, params: RecordingParams, querystring: Offset, response } },
      async (request) => {
        const bytes = bodyOf(request)
        if (bytes.length > MAX_RECORDING_CHUNK_BYTES)
          throw new CmdopError('frame_too_large', `Expected at most ${MAX_RECORDING_CHUNK_BYTES} bytes at once.`)
        const part = { id: request.params.recording, offset: request.query.offset, bytes }
        return { storedBytes: await uploads.append(machineOf(request), part) }
      },
    )

    app.put(
      '/api/recordings/:recording/manifest',
      {
        schema: {
          summary: 'A recording is over',
          security,
          params: RecordingParams,
          body: RecordingManifest,
          response,
        },
      },
      async (request) => ({
        storedBytes: await uploads.finish(machineOf(request), request.params.recording, request.body),
      }),
    )
  }
}
