import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readFile, stat, truncate } from 'node:fs/promises'
import { RecordingManifest, RecordingSubject } from '@cmdop/protocol'
import { z } from 'zod'
import { manifestPath, type Spool, type SpoolFile } from './spool.ts'

/** Bytes of a header at most: its texts are bounded. */
const MAX_HEADER_BYTES = 64 * 1024

const Header = z.object({ cmdop: RecordingSubject })

/**
 * Reads what an earlier daemon left: whose recording it is, and how it ended. One without a manifest was lost with that
 * daemon: what of it is whole lines is kept. Undefined where not even its header was written; then it is gone.
 */
export async function recoverRecording(spool: Spool, file: SpoolFile): Promise<RecordingSubject | undefined> {
  const subject = await readSubject(file.path)
  if (subject === undefined) {
    await spool.drop(file)
    return undefined
  }
  file.subject = subject
  const manifest = await readManifest(file)
  if (manifest === undefined) await writeLost(spool, file, subject)
  else file.manifest = manifest
  return subject
}

async function readSubject(path: string): Promise<RecordingSubject | undefined> {
  await using handle = await open(path)
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAX_HEADER_BYTES), 0, MAX_HEADER_BYTES, 0)
  const end = buffer.subarray(0, bytesRead).indexOf('\n')
  return Header.safeParse(parseJson(buffer.toString('utf8', 0, Math.max(end, 0)))).data?.cmdop
}

async function readManifest(file: SpoolFile): Promise<RecordingManifest | undefined> {
  const text = await readFile(manifestPath(file), 'utf8').catch(() => '')
  return RecordingManifest.safeParse(parseJson(text)).data
}

async function writeLost(spool: Spool, file: SpoolFile, subject: RecordingSubject): Promise<void> {
  const hash = createHash('sha256')
  const whole = await wholeLines(file.path)
  await truncate(file.path, whole)
  spool.shorten(file, whole)
  for await (const data of createReadStream(file.path)) hash.update(data as Buffer)
  const endedAt = (await stat(file.path)).mtime
  await spool.complete(file, {
    recordingId: subject.recordingId,
    bytes: whole,
    sha256: hash.digest('hex'),
    endedAt: endedAt.toISOString(),
    durationMs: Math.max(0, endedAt.getTime() - Date.parse(subject.startedAt)),
    exitCode: null,
    integrity: 'lost',
  })
}

/** Bytes up to the last line feed. */
async function wholeLines(path: string): Promise<number> {
  let bytes = 0
  let whole = 0
  for await (const data of createReadStream(path)) {
    const last = (data as Buffer).lastIndexOf('\n')
    if (last !== -1) whole = bytes + last + 1
    bytes += (data as Buffer).length
  }
  return whole
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
