import { homedir } from 'node:os'
import type { Sandbox, SandboxRequest } from '../sandbox.ts'
import type { SandboxExit } from '../starter/sandbox-process.ts'

/** What a command in a sandbox gave. */
export interface Outcome extends SandboxExit {
  readonly stdout: string
  readonly stderr: string
}

/** Runs a line of shell in a sandbox to its end, and to the end of its output. */
export async function runIn(
  sandbox: Sandbox,
  script: string,
  { cwd = '/', input = '' }: { cwd?: string; input?: string } = {},
): Promise<Outcome> {
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: homedir(), LC_ALL: 'C' }
  const request: SandboxRequest = { file: 'sh', args: ['-c', script], cwd, env, stdin: input !== '' }
  const program = await sandbox.spawn(request)
  program.stdin?.end(input)
  const [stdout, stderr, exit] = await Promise.all([textOf(program.stdout), textOf(program.stderr), program.exit])
  return { ...exit, stdout, stderr }
}

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of stream) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}
