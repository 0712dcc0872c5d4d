import type { Attachment, Machine, Session } from '@cmdop/core'
import { EchoCounter, type EchoingTerminal } from './keystrokes.ts'

/** A shell of ours that shows neither prompt nor what is typed, until it is told to. */
export async function openQuietShell(machine: Machine): Promise<Session> {
  if (machine.sessions === undefined) throw new Error('Expected a machine with sessions.')
  return machine.sessions.open({ shell: 'sh', env: { PS1: '', PS2: '', ENV: null } })
}

/** `cat` in a session of ours. */
export async function startOurEcho(session: Session): Promise<EchoingTerminal & AsyncDisposable> {
  const attachment = await session.attach()
  await attachment.write("printf 'READ''Y\\n'; exec cat\n")
  await readUntil(attachment, 'READY\r\n')
  const counter = new EchoCounter()
  const pumping = pump(attachment, counter)
  return {
    type: async (text, bytes) => {
      const arrived = counter.next(bytes)
      await attachment.write(text)
      await arrived
    },
    [Symbol.asyncDispose]: async () => {
      await attachment.detach()
      await pumping
    },
  }
}

/** Runs a command in the session's terminal, and gives everything that the terminal showed of it. */
export async function runInTerminal(attachment: Attachment, command: string): Promise<Buffer> {
  await attachment.write(`${command}; printf 'DO''NE'\n`)
  return readUntil(attachment, 'DONE')
}

async function pump(attachment: Attachment, counter: EchoCounter): Promise<void> {
  for await (const event of attachment) if (event.type === 'output') counter.take(event.data.length)
}

async function readUntil(attachment: Attachment, mark: string): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let tail = ''
  for await (const event of attachment) {
    if (event.type !== 'output') continue
    parts.push(event.data)
    tail = (tail + Buffer.from(event.data.subarray(-mark.length)).toString('latin1')).slice(-2 * mark.length)
    if (tail.includes(mark)) return Buffer.concat(parts)
  }
  throw new Error('The session ended before its command did.')
}
