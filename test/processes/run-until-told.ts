import { flushCompileCache } from 'node:module'

/** What the starter of this process gave it. */
export function settings(): unknown {
  return JSON.parse(process.argv[2] ?? '{}')
}

/** Says on stdout that this process is ready, and stops it in order at SIGTERM or when its starter is gone. */
export function runUntilTold(ready: object, close: () => Promise<void>): void {
  const stop = () => void close().then(() => process.exit(0))
  process.once('SIGTERM', stop)
  process.stdin.resume().once('end', stop).once('error', stop)
  say(ready)
}

/** One line of JSON on stdout. What this process has compiled is kept for the next, also when it is killed. */
export function say(value: unknown): void {
  flushCompileCache()
  process.stdout.write(`${JSON.stringify(value)}\n`)
}
