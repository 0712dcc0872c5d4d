import { CmdopError } from '@cmdop/protocol'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { interrupted } from '../interrupt.ts'
import { say } from '../terminal.ts'
import type { McpServer } from './mcp-server.ts'

/** Most bytes of one message: `write_file` takes a MiB of text, which JSON may write as six. */
const maxMessageBytes = 8_388_608

/**
 * Speaks to the client on standard streams until its input ends, or the signal aborts. Throws `frame_too_large` when a
 * message is too long.
 */
export async function serveStdio({ server }: McpServer, signal: AbortSignal): Promise<void> {
  const ended = Promise.withResolvers<void>()
  const transport = new StdioServerTransport(process.stdin, process.stdout, { maxBufferSize: maxMessageBytes })
  let overflow = false
  process.stdin.once('end', ended.resolve).once('close', ended.resolve)
  server.onerror = (error) => {
    overflow ||= error.message.startsWith('ReadBuffer exceeded')
    // The message may quote what the client sent.
    void say(`mcp: a message of the client could not be read or answered (${error.name})`)
  }
  server.onclose = ended.resolve
  await server.connect(transport)
  await Promise.race([ended.promise, interrupted(signal)])
  if (overflow) throw new CmdopError('frame_too_large', `A message of the client is over ${maxMessageBytes} bytes.`)
}
