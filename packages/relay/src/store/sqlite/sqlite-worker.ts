/**
 * The worker thread that owns one SQLite database. Started by `SqliteWorker`; it imports only Node and its own files, so
 * that Node can run it as it is, from source or built.
 *
 * `synchronous=FULL`: a commit returns after the write-ahead log is on the disk.
 * https://www.sqlite.org/pragma.html#pragma_synchronous
 */
import { DatabaseSync } from 'node:sqlite'
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { StatementQueue } from './statement-queue.ts'
import type { WorkerAnswer, WorkerRequest, WorkerSettings } from './worker-messages.ts'

/** https://www.sqlite.org/rescode.html#busy */
const sqliteBusy = 5
/** Between two tries to get the lock of a file that is being made. */
const lockRetryMs = 5

const settings = workerData as WorkerSettings
const port = parentPort
if (port === null) throw new Error('Expected sqlite-worker to be started as a worker thread, got the main thread.')

const database = openDatabase(settings)
const send = (answers: readonly WorkerAnswer[]): void => port.postMessage(answers)
const queue = new StatementQueue(database, send, settings)

port.on('message', (first: WorkerRequest[]) => {
  queue.accept(first)
  // Whatever arrived while the last commit was under way goes into the next one.
  for (let more = receiveMessageOnPort(port); more !== undefined; more = receiveMessageOnPort(port)) {
    queue.accept(more.message as WorkerRequest[])
  }
  queue.drain()
})
send([{ id: 0, columns: [], rows: [], changes: 0 }])

function openDatabase({ file, busyTimeoutMs }: WorkerSettings): DatabaseSync {
  const opened = new DatabaseSync(file, { timeout: busyTimeoutMs, enableForeignKeyConstraints: true })
  startWriteAheadLog(opened, busyTimeoutMs)
  opened.exec('pragma synchronous = full')
  // What is overwritten or deleted is zeroed where that costs no write of its own: secrets from before they were sealed.
  opened.exec('pragma secure_delete = fast')
  return opened
}

/** SQLite does not wait for the lock here when two start on a new file at once, so this does. */
function startWriteAheadLog(opened: DatabaseSync, timeoutMs: number): void {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    try {
      opened.exec('pragma journal_mode = wal')
      return
    } catch (error) {
      const locked = error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy
      if (!locked || performance.now() > deadline) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, lockRetryMs)
    }
  }
}
