/** What a control script does: starts a service in the background and waits until it is ready, or ends it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

const [, , folder = '', name = '', program = '', action = ''] = process.argv
const pidFile = join(folder, 'run', 'pid')
const log = join(folder, 'log', `${name}.log`)

if (action === 'stop' || action === 'restart') await stop()
if (action === 'start' || action === 'restart') await start()
if (!['start', 'stop', 'restart'].includes(action)) fail(`Expected start, stop or restart, got "${action}".`)

async function start(): Promise<void> {
  await using file = await open(log, 'a')
  const service = spawn(process.execPath, [program, folder], {
    detached: true,
    stdio: ['ignore', file.fd, file.fd, 'ipc'],
  })
  writeFileSync(pidFile, `${service.pid}\n`)
  const isReady = await Promise.race([
    once(service, 'message').then(() => true),
    once(service, 'exit').then(() => false),
  ])
  if (!isReady) {
    rmSync(pidFile, { force: true })
    return fail(`${name} did not start: ${(await readFile(log, 'utf8')).trim().split('\n').at(-1)}`)
  }
  service.disconnect()
  service.unref()
}

async function stop(): Promise<void> {
  const pid = pidOf(pidFile)
  if (pid !== undefined && runs(pid)) {
    process.kill(pid, 'SIGTERM')
    // A stopped process takes the signal only once it goes on.
    process.kill(pid, 'SIGCONT')
    for (let tries = 0; runs(pid); tries += 1) {
      if (tries === 100) process.kill(pid, 'SIGKILL')
      await wait(20)
    }
  }
  rmSync(pidFile, { force: true })
}

function pidOf(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

/** One that has ended and that nobody has waited for does not run. */
function runs(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

function fail(message: string): void {
  process.stderr.write(`${message}\n`)
  process.exitCode = 1
}
