import type { ExecExit, Execution, Machine } from '@cmdop/core'

/**
 * A machine in process on which every command has already ended, so that a loop is measured and not a machine. `real`: where
 * its runs are written down.
 */
export function createInstantMachine(real?: Pick<Machine, 'id' | 'runs'>): Machine {
  const refuse = () => Promise.reject(new Error('The instant machine only runs commands.'))
  return {
    id: real?.id ?? 'mch_instant',
    runs: real?.runs,
    name: 'instant',
    hostname: 'instant',
    exec: createInstantExecution,
    facts: refuse,
    capabilities: refuse,
    files: {
      read: refuse,
      write: refuse,
      list: refuse,
      stat: refuse,
      search: refuse,
      mkdir: refuse,
      copy: refuse,
      move: refuse,
      delete: refuse,
    },
  }
}

const EXIT: ExecExit = { exitCode: 0, signal: null, stdoutBytes: 0, stderrBytes: 0, durationMs: 0 }
const EMPTY = new Uint8Array(0)
const OUTPUT = {
  stdout: '',
  stderr: '',
  stdoutData: EMPTY,
  stderrData: EMPTY,
  stdoutTruncated: false,
  stderrTruncated: false,
}

function createInstantExecution(): Execution {
  const result = Promise.resolve({ ...EXIT, ...OUTPUT })
  return {
    callId: 'call_instant',
    exit: Promise.resolve(EXIT),
    // oxlint-disable-next-line unicorn/no-thenable -- an execution is awaited for its result
    then: (fulfilled, rejected) => result.then(fulfilled, rejected),
    async *[Symbol.asyncIterator]() {},
    [Symbol.asyncDispose]: async () => {},
  }
}
