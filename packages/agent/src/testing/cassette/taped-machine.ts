import type { Execution, ExecChunk, ExecExit, Machine, MachineFiles } from '@cmdop/core'
import { CmdopError } from '@cmdop/protocol'

/** What a machine is asked that has one answer. */
export type Ask = (method: string, args: readonly unknown[]) => Promise<unknown>

const fileMethods = ['read', 'write', 'list', 'stat', 'search', 'mkdir', 'copy', 'move', 'delete'] as const

/** A machine of a name and a way to its commands, of which everything else is asked by method and arguments. */
export function tapedMachine(
  { id, name, hostname }: Pick<Machine, 'id' | 'name' | 'hostname'>,
  exec: Machine['exec'],
  ask: Ask,
): Machine {
  const asked =
    (method: string) =>
    async (...args: readonly unknown[]) =>
      ask(method, args)
  const files = Object.fromEntries(fileMethods.map((method) => [method, asked(`files.${method}`)]))
  return {
    id,
    name,
    hostname,
    exec,
    // Each gives what the real one gave.
    files: files as unknown as MachineFiles,
    facts: asked('facts') as Machine['facts'],
    capabilities: asked('capabilities') as Machine['capabilities'],
  }
}

/** Asks a real machine. */
export function askOf(machine: Machine): Ask {
  return async (method, args) => {
    const [holder, name] = method.startsWith('files.') ? [machine.files, method.slice(6)] : [machine, method]
    return Reflect.apply(Reflect.get(holder, name) as () => unknown, holder, args)
  }
}

/** An execution that is only iterated, as our loop does. */
export function executionOf(
  callId: string,
  chunks: AsyncGenerator<ExecChunk, void, void>,
  exit: Promise<ExecExit>,
): Execution {
  const unsupported = Promise.reject(new CmdopError('unsupported', 'A command on a cassette is iterated, not awaited.'))
  unsupported.catch(() => undefined)
  return {
    callId,
    exit,
    // oxlint-disable-next-line unicorn/no-thenable -- The contract says that an execution can be awaited.
    then: (fulfilled, rejected) => unsupported.then(fulfilled, rejected),
    [Symbol.asyncIterator]: () => chunks,
    [Symbol.asyncDispose]: async () => void (await chunks.return()),
  }
}
