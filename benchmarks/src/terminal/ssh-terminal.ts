import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { OpenSsh } from '../peers/sshd.ts'
import { EchoCounter, type EchoingTerminal } from './keystrokes.ts'

/** `cat` in a terminal at the other end of `ssh -tt`. */
export async function startSshEcho(ssh: OpenSsh): Promise<EchoingTerminal & AsyncDisposable> {
  const child = spawn(ssh.ssh, [...ssh.terminal, "stty sane; printf 'READY\\n'; exec cat"], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const counter = new EchoCounter()
  const ready = counter.next('READY\r\n'.length)
  child.stdout.on('data', (data: Buffer) => counter.take(data.length))
  await ready
  counter.reset()
  return {
    type: async (text, bytes) => {
      const arrived = counter.next(bytes)
      child.stdin.write(text)
      await arrived
    },
    [Symbol.asyncDispose]: async () => {
      child.kill()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
    },
  }
}

/** Everything that a command showed in a terminal at the other end. */
export async function runOverSsh(ssh: OpenSsh, command: string): Promise<Buffer> {
  const child = spawn(ssh.ssh, [...ssh.terminal, `stty sane; ${command}`], { stdio: ['ignore', 'pipe', 'ignore'] })
  const parts: Buffer[] = []
  child.stdout.on('data', (data: Buffer) => parts.push(data))
  await once(child, 'close')
  return Buffer.concat(parts)
}
