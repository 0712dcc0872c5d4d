import { enableCompileCache } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { exitCodes } from './exit-codes.ts'

// The young generation stays at 1 MiB. It grows to 64 and more otherwise, and what sockets are read into waits in it until it counts as
// too much memory outside of the heap: then all of the heap is marked, for every 64 MB that pass through. A relay has much under way at once.
if (!['relay', 'up'].includes(process.argv[2] ?? '')) setFlagsFromString('--semi-space-growth-factor=1')
enableCompileCache()
const { runProgram } = await import('./program.ts')
const { onReaderGone } = await import('./terminal.ts')

// The first ^C ends what runs and waits until that is confirmed; a second one exits at once.
const stop = new AbortController()
process.on('SIGINT', () => {
  if (stop.signal.aborted) process.exit(exitCodes.cancelled)
  stop.abort()
})
for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort())

// Node opens its debugger for whoever may send this signal. Nobody debugs what may run as root.
process.on('SIGUSR1', () => {})

// A reader that leaves wants no more: what runs is ended.
let isAlone = false
onReaderGone(() => {
  isAlone = true
  stop.abort()
})

// Everything is written and taken down; a peer that does not answer a closing handshake is not waited for.
const exitCode = await runProgram(process.argv.slice(2), stop.signal)
process.exit(isAlone ? exitCodes.brokenPipe : exitCode)
