import type { Restrictions } from '@cmdop/protocol'
import { isCmdopError } from '@cmdop/protocol'
import { openSandbox } from '../sandbox.ts'
import { runIn } from './run-in.ts'

/** What the process is asked for, as JSON in its last argument. */
export interface SandboxProcessInput {
  readonly restrictions: Restrictions
  readonly folder: string
  readonly script: string
  /** Stays with the sandbox open when the command has begun, to be killed. */
  readonly stay?: boolean
}

/** A daemon of its own for a test: opens a sandbox, runs one command and prints what came of it as a line of JSON. */
const { restrictions, folder, script, stay = false } = JSON.parse(process.argv.at(-1) ?? '{}') as SandboxProcessInput
try {
  await using sandbox = await openSandbox(restrictions, { folder, cwd: '/' })
  if (stay) {
    await sandbox.spawn({ file: 'sh', args: ['-c', script], cwd: '/', env: { PATH: '/usr/bin:/bin' }, stdin: false })
    process.stdout.write('up\n')
    await sandbox.gone
  } else {
    const { tier, view } = sandbox
    const said = { tier, unpreviewable: view?.unpreviewable, ...(await runIn(sandbox, script)) }
    process.stdout.write(`${JSON.stringify(said)}\n`)
  }
} catch (error) {
  if (!isCmdopError(error)) throw error
  process.stdout.write(`${JSON.stringify({ code: error.code, message: error.message, details: error.details })}\n`)
}
