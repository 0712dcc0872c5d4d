import { mkdir } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecOptions, RemoteMachine } from '@cmdop/core'
import { alternate } from './alternate.ts'

/** Milliseconds between two one-shots: in them the daemon starts the next host. */
const PAUSE_MS = 700

/** `true` by itself, and in sessions that run: one without restrictions, and two with. */
export async function measureSessions(
  machine: RemoteMachine,
): Promise<Record<'plain' | 'shown' | 'dryRun' | 'readOnly', number[]>> {
  const open = (restrictions: ExecOptions['restrictions']) =>
    machine.sessions.open({ kind: 'run', ...(restrictions && { restrictions }) })
  const shown = await open(undefined)
  const dryRun = await open({ dryRun: true })
  const readOnly = await open({ readOnly: true })
  try {
    const actions = {
      plain: () => runTrue(machine, {}),
      shown: () => runTrue(machine, { showIn: shown.id }),
      dryRun: () => runTrue(machine, { showIn: dryRun.id }),
      readOnly: () => runTrue(machine, { showIn: readOnly.id }),
    }
    return await alternate(actions, { rounds: 20, perRound: 25, warmUp: 10 })
  } finally {
    for (const session of [shown, dryRun, readOnly]) await session.close()
  }
}

/** A command that writes a file: as it is, shown, and applied. */
export async function measureCommands(
  machine: RemoteMachine,
  cwd: string,
): Promise<Record<'plain' | 'dryRun' | 'noDelete', number[]>> {
  await mkdir(cwd)
  let count = 0
  const writing = (options: ExecOptions) => {
    count += 1
    return run(machine, ['sh', '-c', `echo new > new-${count}`], { cwd, ...options })
  }
  const actions = {
    plain: async () => void (await writing({})),
    dryRun: async () => {
      const { effect } = await writing({ restrictions: { dryRun: true } })
      if (effect?.counts['added'] !== 1) throw new Error(`Expected one new file, got ${JSON.stringify(effect)}.`)
      return () => machine.effects.discard(effect.effectId)
    },
    noDelete: async () => {
      const { effect } = await writing({ restrictions: { noDelete: true } })
      if (effect?.state !== 'applied') throw new Error(`Expected an applied effect, got ${JSON.stringify(effect)}.`)
    },
  }
  return alternate(actions, { rounds: 50, perRound: 1, warmUp: 5, rest: () => sleep(PAUSE_MS) })
}

async function run(machine: RemoteMachine, command: readonly string[], options: ExecOptions) {
  const result = await machine.exec(command, options)
  if (result.exitCode !== 0) throw new Error(`Expected ${command[0]} to exit with 0, got ${result.exitCode}.`)
  return result
}

async function runTrue(machine: RemoteMachine, options: ExecOptions): Promise<void> {
  await run(machine, ['true'], options)
}
