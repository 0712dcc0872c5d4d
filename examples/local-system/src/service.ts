import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const control = fileURLToPath(new URL('service-control.ts', import.meta.url))

/** A service on this machine, as operators meet one: a folder with a control script, a log and a pid file. */
export interface Service extends AsyncDisposable {
  readonly folder: string
  /** The script: `<control> start|stop|restart`. */
  readonly control: string
  readonly log: string
  start(): Promise<void>
  stop(): Promise<void>
  /** Of the process in the pid file; undefined without one. */
  pid(): Promise<number | undefined>
}

/** Puts a service in place, and does not start it. `program`: a file that Node runs with the folder as its argument. */
export async function installService(folder: string, name: string, program: string): Promise<Service> {
  const script = join(folder, name)
  const run = (action: string) => runDetached(script, action)
  await Promise.all(['log', 'run'].map((part) => mkdir(join(folder, part), { recursive: true })))
  const argv = [process.execPath, control, folder, name, program].map((word) => `'${word}'`).join(' ')
  await writeFile(script, `#!/bin/sh\n# ${name} start|stop|restart\nexec ${argv} "$1"\n`)
  await chmod(script, 0o755)
  return {
    folder,
    control: script,
    log: join(folder, 'log', `${name}.log`),
    start: () => run('start'),
    stop: () => run('stop'),
    pid: async () => Number(await readFile(join(folder, 'run', 'pid'), 'utf8').catch(() => '')) || undefined,
    [Symbol.asyncDispose]: () => run('stop'),
  }
}

/** Out of reach of ^C, which would end it between the start of the service and its pid file. Throws what it says when it fails. */
async function runDetached(script: string, action: string): Promise<void> {
  const child = spawn(script, [action], { detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  if (code !== 0) throw new Error(said.trim())
}

/** A port of loopback on which nothing listens, for a service that has it in its configuration. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
