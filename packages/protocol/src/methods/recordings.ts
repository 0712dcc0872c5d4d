import { z } from 'zod'
import { Sha256 } from './sha256.ts'

/** Bytes of a command's output that its recording keeps from its beginning, and as many from its end. */
export const RECORDED_EXEC_BYTES = 256 * 1024

/** Bytes of recordings that a machine keeps for a relay that does not take them; then recording has failed. */
export const RECORDING_SPOOL_BYTES = 256 * 1024 * 1024

/** Bytes of one chunk on its way to the relay at most. */
export const MAX_RECORDING_CHUNK_BYTES = 512 * 1024

/** Bytes of one recording at most; what comes after is a gap, or ends what is recorded. */
export const MAX_RECORDING_BYTES = 256 * 1024 * 1024

/** Bytes of content of one recording that may travel in a batch with others. */
export const MAX_BATCHED_RECORDING_BYTES = 64 * 1024

/** Bytes of one answer with content at most. */
export const MAX_RECORDING_PART_BYTES = 4 * 1024 * 1024

/**
 * Id of a recording, see {@link recordingIdOf}. Never made from an id that a caller chooses: whoever could use one twice
 * could keep the second one from being recorded.
 */
export const RecordingId = z.string().regex(/^rec_[A-Za-z0-9_-]{8,64}$/)

/** The id of what is recorded under this audit row: `aud_x` gives `rec_x`. */
export function recordingIdOf(intentId: string): string {
  return `rec_${intentId.replace(/^aud_/, '')}`
}

/**
 * Codes of the events of a recording, an asciicast v2 file (docs.asciinema.org/manual/asciicast/v2). Players pass over
 * those they do not know.
 */
export const recordingCodes = {
  /** What a terminal shows. In a recording of kind `exec`, each line feed has a carriage return before it. */
  output: 'o',
  /** The exact bytes of the output before it, base64, where that is not what was put out: no UTF-8, or a note of ours. */
  exact: 'b',
  /** `stdout` or `stderr`: of which stream output is from here on. At first `stdout`. */
  stream: 's',
  /** `80x24`. */
  resize: 'r',
  /** A note: who typed how much, who may type now. Never the input itself. */
  marker: 'm',
  /** A {@link RecordingOmission} as JSON: output that is not in the recording. */
  omitted: 'x',
} as const

/** Output that is not kept: the middle of a long command's, or what came while recording had failed. */
export const RecordingOmission = z.object({
  bytes: z.number().int().describe('Bytes that are left out'),
  whole: z
    .object({
      stdoutBytes: z.number().int().describe('Bytes of stdout'),
      stderrBytes: z.number().int().describe('Bytes of stderr'),
      sha256: Sha256.describe('SHA-256 of the whole output, hex'),
    })
    .optional()
    .describe('What the whole output was, both streams in the order they were read; not where recording had failed'),
})
export type RecordingOmission = z.infer<typeof RecordingOmission>

/** Who, where and why: in the header of each recording (key `cmdop`) and in its row at the relay. */
export const RecordingSubject = z.object({
  recordingId: RecordingId.describe('Id of the recording: `rec_...`'),
  kind: z.enum(['session', 'exec']).describe('What was recorded: a session of a terminal, or one command'),
  subjectId: z.string().describe('Id of the session, or of the call of the command'),
  machineId: z.string().describe('Id of the machine where it was made'),
  fleetId: z.string().describe('Id of the fleet that it is of'),
  principalId: z.string().describe('Id of the principal that acted'),
  principalKind: z.string().describe('What the principal is: `human`, `ai`, `service`, `schedule`'),
  principalName: z.string().describe('What the principal was called then'),
  onBehalfOf: z
    .string()
    .nullable()
    .describe('Id of the person or schedule that it was done for; null: the principal itself'),
  intentId: z.string().describe('Id of the audit row that was written before it began'),
  title: z.string().max(500).describe("The session's name, or the command"),
  reason: z.string().max(500).nullable().describe('Why it was done, as whoever did it says; null: nothing said'),
  startedAt: z.iso.datetime().describe("When it began, by the machine's clock"),
})
export type RecordingSubject = z.infer<typeof RecordingSubject>

/** What is known once a recording is complete. */
export const RecordingManifest = z.object({
  recordingId: RecordingId.describe('Id of the recording: `rec_...`'),
  bytes: z.number().int().describe('Bytes of the whole asciicast file'),
  sha256: Sha256.describe('SHA-256 of the whole asciicast file, hex'),
  endedAt: z.iso.datetime().describe("When it ended, by the machine's clock"),
  durationMs: z.number().describe('Milliseconds from its beginning to its end'),
  exitCode: z.number().int().nullable().describe('Exit code of the shell or command; null: not known'),
  integrity: z
    .enum(['complete', 'gap', 'lost'])
    .describe(
      '`complete`, or what is missing: `gap` (a part could not be written), `lost` (the daemon ended under it)',
    ),
})
export type RecordingManifest = z.infer<typeof RecordingManifest>

/** A recording as the relay lists it. */
export const RecordingSummary = RecordingSubject.extend({
  state: z
    .enum(['open', 'complete', 'damaged'])
    .describe('`open` while more may come, `complete` once the manifest is there and the bytes have its SHA-256'),
  storedBytes: z.number().int().describe('Bytes that the relay has, on disk'),
  manifest: RecordingManifest.nullable().describe('What is known once it is complete; null before that'),
})
export type RecordingSummary = z.infer<typeof RecordingSummary>

/** Recordings that are complete and short, several at once: body of `POST /api/recordings/batch`. */
export const RecordingBatch = z.strictObject({
  batchId: z
    .string()
    .regex(/^bat_[0-9a-f]{32}$/)
    .describe('Made by the machine; the same batch sent again is stored once'),
  items: z
    .array(
      z.strictObject({
        subject: RecordingSubject.describe('Who, where and why'),
        manifest: RecordingManifest.describe('What is known of it as a whole'),
        content: z.string().max(MAX_BATCHED_RECORDING_BYTES).describe('The whole asciicast file'),
      }),
    )
    .min(1)
    .max(1000)
    .describe('Recordings that are complete and short'),
})
export type RecordingBatch = z.infer<typeof RecordingBatch>

export const RecordingListQuery = z.object({
  machineId: z.string().max(64).optional().describe('Only those of this machine'),
  subjectId: z.string().max(64).optional().describe('Only that of this session, or of this call of a command'),
  kind: z.enum(['session', 'exec']).optional().describe('Only those of sessions, or of commands'),
  limit: z.coerce.number().int().min(1).max(500).default(100).describe('Items in one page at most'),
  cursor: z.string().max(1024).optional().describe('The `next_cursor` of the page before; absent: the first page'),
})
export type RecordingListQuery = z.infer<typeof RecordingListQuery>

/** Newest first. */
export const RecordingList = z.object({
  items: z.array(RecordingSummary).describe('Recordings, the newest first'),
  next_cursor: z.string().nullable().describe('Cursor of the next page; null where this is the last one'),
  has_more: z.boolean().describe('Whether another page follows'),
})
export type RecordingList = z.infer<typeof RecordingList>

/** Answer to a chunk: bytes the relay has, on disk. A chunk that it has already is taken as sent. */
export const RecordingAcknowledged = z.object({
  storedBytes: z.number().int().describe('Bytes that the relay has, on disk'),
})
export type RecordingAcknowledged = z.infer<typeof RecordingAcknowledged>
