import type { Sandbox } from '@cmdop/sandbox'
import { signalProcess } from '../exec/marked-processes.ts'
import { loadLibc } from '../exec/spawn/libc.ts'
import { DescriptorPty } from '../sessions/pty/descriptor-pty.ts'
import { doNotWait } from '../sessions/pty/native.ts'
import type { PtyHost } from '../sessions/pty/pty.ts'

/**
 * Pseudo-terminals that are the view's own, as are the ids of the programs in it. The id that is given out is the one outside:
 * there it says what is in the foreground, and takes signals.
 */
export function sandboxPtyHost(sandbox: Pick<Sandbox, 'openPty'>): PtyHost {
  return {
    spawn: async ({ onData, ...request }) => {
      const terminal = await sandbox.openPty(request)
      const { master, slave, exit } = terminal
      doNotWait(master)
      const pid = loadLibc()?.tcgetsid(master) ?? -1
      const kill = (signal: NodeJS.Signals) => {
        if (pid <= 0 || !signalProcess(-pid, signal)) terminal.kill(signal)
      }
      return new DescriptorPty({ pid, master, slave, exit, kill, onData })
    },
  }
}
