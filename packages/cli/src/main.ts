import { enableCompileCache } from 'node:module'
import { exitCodes } from './exit-codes.ts'

enableCompileCache()
const { runProgram } = await import('./program.ts')

// The first ^C ends what runs and waits until that is confirmed; a second one exits at once.
const stop = new AbortController()
process.on('SIGINT', () => {
  if (stop.signal.aborted) process.exit(exitCodes.cancelled)
  stop.abort()
})
for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort())

// A reader that leaves (`| head`) wants no more: what runs is ended. Every other fault of a stream is the same to us.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => stop.abort())

// Everything is written and taken down; a peer that does not answer a closing handshake is not waited for.
process.exit(await runProgram(process.argv.slice(2), stop.signal))
