import { spawnSync } from 'node:child_process'
import { isStdoutTerminal, writeStdout } from '../terminal.ts'
import { ScreenModes } from './screen-modes.ts'

/** Where a recording is shown. */
export interface ReplayScreen extends AsyncDisposable {
  /** Whether somebody looks on. */
  readonly isTerminal: boolean
  show(text: string): Promise<void>
}

/** Takes stdout for a replay. A terminal is left as it was before, whatever the recording did to it. */
export function openReplayScreen(): ReplayScreen {
  const isTerminal = isStdoutTerminal()
  const modes = new ScreenModes()
  const restore = () => setPostprocessing(true)
  if (isTerminal) {
    setPostprocessing(false)
    // A second ^C exits without coming back here.
    process.once('exit', restore)
  }
  return {
    isTerminal,
    show: (text) => {
      modes.see(Buffer.from(text))
      return writeStdout(text)
    },
    [Symbol.asyncDispose]: async () => {
      if (!isTerminal) return
      await writeStdout(modes.restore())
      process.off('exit', restore)
      restore()
    },
  }
}

/** What was recorded has its returns; one more for each line feed would tear full-screen programs apart. */
function setPostprocessing(on: boolean): void {
  spawnSync('stty', [on ? 'opost' : '-opost'], { stdio: [process.stdout.fd, 'ignore', 'ignore'] })
}
