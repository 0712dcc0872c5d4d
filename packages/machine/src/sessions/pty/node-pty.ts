import { constants as files, openSync } from 'node:fs'
import { constants } from 'node:os'
import { signalProcess } from '../../exec/marked-processes.ts'
import { DescriptorPty, type StartedTerminal } from './descriptor-pty.ts'
import { closeOnExec, helperPath, loadNative, type Native } from './native.ts'
import type { PtyExit, PtyHost, PtyRequest } from './pty.ts'

/**
 * Pseudo-terminals by the native part of node-pty. Its JavaScript part is not used: it loses the end of the output
 * (microsoft/node-pty issues 72, 85, 674, 726) because it closes the terminal 200 ms after the program, because libuv takes the
 * hang-up for the end while bytes are left, and it spins while a program does not read its input.
 */
export const nodePtyHost: PtyHost = {
  spawn: async (request) => new DescriptorPty(fork(loadNative(), request)),
}

function fork(native: Native, request: PtyRequest): StartedTerminal {
  const { file, args, env, cwd, size, onData } = request
  const entries = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  const exit = Promise.withResolvers<PtyExit>()
  const onExit = (code: number, signal: number) => exit.resolve(exitOf(code, signal))
  const forked = native.fork(file, args, entries, cwd, size.columns, size.rows, -1, -1, true, helperPath(), onExit)
  const { pid, fd: master } = forked
  closeOnExec(master)
  const slave = openSync(forked.pty, files.O_RDWR | files.O_NOCTTY)
  return { pid, master, slave, exit: exit.promise, kill: (signal) => void signalProcess(-pid, signal), onData }
}

function exitOf(exitCode: number, signal: number): PtyExit {
  if (signal === 0) return { exitCode, signal: null }
  const entry = Object.entries(constants.signals).find(([, value]) => value === signal)
  return { exitCode: null, signal: (entry?.[0] as NodeJS.Signals | undefined) ?? 'SIGKILL' }
}
