import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { hasProgram } from '../../testing/has-program.ts'
import { startTestShell } from './test-shell.ts'

/** As it is after `stty sane`: lines, echo, signals, and a return after each newline. */
const SANE = ['icanon', 'echo', 'isig', 'icrnl', 'opost', 'onlcr']

const programs = ['vim file', 'less -R file', 'htop', 'top', 'tmux -S socket -f /dev/null']
const shells = ['bash', 'zsh', 'dash', 'fish']
const pairs = shells.flatMap((shell) => programs.map((command) => ({ shell, command })))

describe.concurrent('full screen', () => {
  for (const { shell, command } of pairs) {
    const isInstalled = [shell, command.split(' ', 1)[0] ?? ''].every(hasProgram)
    test.runIf(isInstalled)(
      `in ${shell}, ${command} is ended at the deadline, with the terminal as before`,
      async () => {
        await using session = await startTestShell({ shell: `/usr/bin/${shell}` })
        writeFileSync(join(session.cwd, 'file'), 'line\n'.repeat(1000))
        await session.execute('true')
        expect(await session.execute(command, { timeoutMs: 1500 })).toMatchObject({ reason: 'deadline' })
        const { output } = await session.execute('stty -a', { timeoutMs: 20_000 })
        const modes = new Set(output.toString().split(/[\s;]+/))
        expect(SANE.filter((mode) => !modes.has(mode))).toEqual([])
        // Its server is no program of the terminal.
        if (command.startsWith('tmux')) await session.execute('tmux -S socket kill-server')
        expect((await session.execute('echo usable')).output.toString()).toBe('usable\r\n')
        const shown = session.shown.toString()
        expect(shown.lastIndexOf('\x1b[?1049h')).toBeLessThanOrEqual(shown.lastIndexOf('\x1b[?1049l'))
        expect(shown.lastIndexOf('\x1b[?25l')).toBeLessThanOrEqual(shown.lastIndexOf('\x1b[?25h'))
      },
    )
  }
})
