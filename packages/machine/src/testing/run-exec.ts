import { ExecEnd, execLanes } from '@cmdop/protocol'
import type { CallOptions, SessionWorld } from './session-world.ts'

/** What a command gave. */
export interface ExecResult {
  readonly stdout: string
  readonly stderr: string
  readonly end: ExecEnd
}

/** A command that runs. */
export interface RunningExec {
  readonly callId: string
  readonly result: Promise<ExecResult>
  /** Resolves when stdout holds this. */
  shows(text: string): Promise<void>
  write(text: string): Promise<void>
  cancel(): Promise<void>
}

/** Starts one in a world. Rejects with what the machine refuses. */
export async function startExec(
  world: Pick<SessionWorld, 'call'>,
  params: Record<string, unknown>,
  options?: CallOptions,
): Promise<RunningExec> {
  const channel = world.call('exec', params, options)
  channel.onControl = () => {}
  await channel.accepted
  const output = new Map<number, string>()
  const stdout = () => output.get(execLanes.stdout) ?? ''
  let changed = Promise.withResolvers<void>()
  let isOver = false
  const read = async (): Promise<ExecResult> => {
    for await (const { lane, data } of channel) {
      output.set(lane, `${output.get(lane) ?? ''}${Buffer.from(data).toString()}`)
      changed.resolve()
      changed = Promise.withResolvers()
    }
    const end = ExecEnd.parse(await channel.finished)
    await channel.end()
    return { stdout: stdout(), stderr: output.get(execLanes.stderr) ?? '', end }
  }
  const result = read().finally(() => {
    isOver = true
    changed.resolve()
  })
  result.catch(() => {})
  return {
    callId: channel.open.callId,
    result,
    shows: async (text) => {
      while (!stdout().includes(text)) {
        if (isOver) throw new Error(`Expected ${text}, got ${JSON.stringify([...output])}`)
        await changed.promise
      }
    },
    write: async (text) => {
      await channel.send(execLanes.stdin, Buffer.from(text))
      await channel.control({ type: 'stdin-end', bytes: Buffer.byteLength(text) })
    },
    cancel: () => channel.control({ type: 'cancel' }),
  }
}

/** Runs one to its end. */
export async function runExec(
  world: Pick<SessionWorld, 'call'>,
  params: Record<string, unknown>,
  options?: CallOptions,
): Promise<ExecResult> {
  return (await startExec(world, params, options)).result
}
