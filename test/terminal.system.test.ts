import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { hasProgram } from '../packages/machine/src/testing/has-program.ts'
import { startTmux, type Tmux, type TmuxTerminal } from './processes/tmux.ts'
import { waitFor } from './wait-for.ts'
import { startWorld, type World } from './world.ts'

const main = fileURLToPath(new URL('../packages/cli/src/main.ts', import.meta.url))
const cmdop = [process.execPath, '--conditions=@cmdop/source', main]

let world: World
let tmux: Tmux
let home: string
let env: Record<string, string>
/** The same shell twice: through `cmdop ssh`, and in tmux itself. */
let far: TmuxTerminal
let near: TmuxTerminal
beforeAll(async () => {
  world = await startWorld({ machines: 0 })
  home = await world.folder()
  vi.stubEnv('HOME', home)
  vi.stubEnv('LANG', 'C.UTF-8')
  await world.addMachine('far')
  env = {
    CMDOP_BASE_URL: world.relay.url,
    CMDOP_TOKEN: world.relay.firstKey,
    HOME: home,
    LANG: 'C.UTF-8',
    TERM: 'tmux-256color',
    PATH: process.env['PATH'] ?? '',
  }
  const lines = Array.from({ length: 500 }, (_, index) => `line ${index + 1} of the file`)
  await writeFile(join(home, 'lines.txt'), `${lines.join('\n')}\n`)
  // Wide, combining, of four bytes, joined, and from the right to the left.
  await writeFile(
    join(home, 'letters.txt'),
    'wide 日本語 한글|\ncombining e\u0301 n\u0303 a\u0323\u0302|\nemoji 😀 👍🏽|\nhebrew שלום|\nbox ┌─┐│\n',
  )
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await world[Symbol.asyncDispose]()
})
beforeEach(async () => {
  tmux = startTmux({ columns: 100, rows: 30 })
  far = await tmux.open([...cmdop, 'ssh', 'far', '--shell', 'sh', '--name', 'shell'], env)
  near = await tmux.open(['/bin/sh'], env)
  for (const terminal of [far, near]) {
    await terminal.until('#')
    await terminal.type(`cd "$HOME"; PS1='$ '; clear\n`)
    await waitFor('there is a prompt alone', async () => (await terminal.screen()).trim() === '$')
  }
})
afterEach(async () => {
  await tmux[Symbol.asyncDispose]()
  for (const { sessionId } of (await farSessions()).items) {
    await (await (await world.client.machine('far')).sessions.get(sessionId)).close()
  }
})

const farSessions = () => world.client.sessions.list()

/** Does the same in both terminals. */
async function both(act: (terminal: TmuxTerminal) => Promise<void>): Promise<void> {
  await Promise.all([act(far), act(near)])
}

/** Until both show the same, with all colours. */
async function same(): Promise<void> {
  let screens = ['', '']
  const isSame = async () => {
    screens = await Promise.all([far, near].map((terminal) => terminal.screen({ colours: true })))
    return screens[0] === screens[1] && screens[0]?.trim() !== ''
  }
  await waitFor('both terminals show the same', isSame, 15_000).catch(() => expect(screens[0]).toBe(screens[1]))
}

async function runInBoth(command: string, shows: string): Promise<void> {
  await both(async (terminal) => {
    await terminal.type(`${command}\n`)
    await terminal.until(shows)
  })
  await same()
}

const isInstalled = ['tmux', 'vim', 'less', 'htop', 'top'].every(hasProgram)

describe.runIf(isInstalled)('cmdop ssh in a terminal', () => {
  test('shows vim as it is: typing, wide and combining letters, a resize, and the screen before it', async () => {
    await runInBoth('vim -u NONE -N -n --cmd "set number" letters.txt', 'combining')
    await both((terminal) => terminal.type('Gonew 漢字 line'))
    await same()
    await both((terminal) => terminal.press('Escape', 'g', 'g', 'x', 'x'))
    await same()
    await both((terminal) => terminal.resize(70, 18))
    await same()
    await both((terminal) => terminal.type(':q!\r'))
    await same()
    await far.until('$ vim -u NONE')
  })

  test('shows less as it is: pages, a search, and back', async () => {
    await runInBoth('less lines.txt', 'line 1 of')
    await both((terminal) => terminal.press('Space', 'Down', 'Down'))
    await same()
    await both((terminal) => terminal.type('/line 321\r'))
    await both((terminal) => terminal.until('line 321'))
    await same()
    await both((terminal) => terminal.press('q'))
    await same()
  })

  test.each([
    ['htop', 'F10', 'q'],
    ['top -c -d 0.5', 'load average', 'q'],
  ])('shows %s over the whole screen, which comes back after it', async (program, shows, key) => {
    await far.type(`${program}\n`)
    await far.until(shows)
    const before = await far.screen()
    await waitFor('it draws again', async () => (await far.screen()) !== before, 15_000)
    await far.resize(120, 40)
    await waitFor(
      'it fills the new size',
      async () => (await far.screen()).split('\n').some((line) => line.trimEnd().length > 100),
      15_000,
    )
    await far.press(key)
    // It reads what is typed while it is still there.
    await waitFor('the prompt is back', async () => (await far.screen()).trimEnd().endsWith('\n$'), 15_000)
    await far.type('echo ba""ck\n')
    await far.until('back')
    expect(await far.ask('#{alternate_on} #{cursor_flag}')).toBe('0 1')
  })

  test('shows wide and combining letters where a terminal has them', async () => {
    await runInBoth('cat letters.txt', 'box')
  })

  test('passes every key on as the terminal sends it', async () => {
    await runInBoth('cat -v', 'cat -v')
    await both((terminal) => terminal.press('Up', 'F5', 'C-Left', 'PPage', 'M-x', 'BTab', 'Home', 'DC', 'Enter'))
    await both((terminal) => terminal.type('grüße 日本\n'))
    await both((terminal) => terminal.until('grM-CM-<'))
    await same()
    await both((terminal) => terminal.press('C-c'))
    await same()
  })

  test('passes a paste in brackets on, where a program asked for them', async () => {
    await runInBoth(String.raw`printf '\033[?2004h'; cat -v`, 'cat -v')
    await both((terminal) => terminal.paste('pasted\rtwo ~. lines\r'))
    await both((terminal) => terminal.until('201~'))
    await same()
  })

  test('passes reports of the mouse on: a click moves the cursor of vim', async () => {
    await runInBoth('vim -u NONE -N -n --cmd "set mouse=a ttymouse=sgr" lines.txt', 'line 1 of')
    expect(await far.ask('#{mouse_any_flag}')).toBe('1')
    await both((terminal) => terminal.type('\x1b[<0;6;7M\x1b[<0;6;7m'))
    await both((terminal) => terminal.press('x'))
    await both((terminal) => terminal.until('line  of the file'))
    await same()
  })

  test('leaves a program with ~. and gives the terminal back as it was', async () => {
    const desk = await tmux.open(['/bin/sh'], env)
    await desk.type(`PS1='desk '; clear; ${cmdop.join(' ')} ssh far --shell sh --name left; echo "code=$?"\n`)
    await waitFor('the session is there', async () => (await farSessions()).items.some(({ name }) => name === 'left'))
    await desk.type('vim -u NONE -N -n --cmd "set mouse=a" lines.txt\n')
    await desk.until('line 1 of')
    expect(await desk.ask('#{alternate_on} #{mouse_any_flag}')).toBe('1 1')
    await desk.press('Enter')
    await desk.type('~.')
    await desk.until('you left; the session goes on')
    await desk.until('code=0\ndesk')
    expect(await desk.ask('#{alternate_on} #{mouse_any_flag} #{cursor_flag}')).toBe('0 0 1')
    await desk.type('echo ty""ped\n')
    await desk.until('typed')
    expect((await farSessions()).items.filter(({ name }) => name === 'left')).toMatchObject([{ operators: 0 }])
  })

  test('who attaches later sees what a terminal that was there from the start shows', async () => {
    await far.type('ls -la --color=always /usr; cat letters.txt\n')
    await far.until('box')
    const { sessionId } = (await farSessions()).items[0] ?? { sessionId: '' }
    await far.type('vim -u NONE -N -n +"syntax on" +300 lines.txt\n')
    await far.until('line 300')
    await far.press('Enter')
    await settled(far)
    const there = await screenOf(far)
    await far.type('~.')
    await waitFor('nobody is attached', async () => (await farSessions()).items[0]?.operators === 0)
    const later = await tmux.open([...cmdop, 'attach', sessionId, '--machine', 'far'], env)
    await later.until('line 300')
    await settled(later)
    expect(await screenOf(later)).toEqual(there)
    await later.type(':q!\r')
    await later.until('box')
    await later.until('$ vim')
  })
})

/** What a terminal shows, with its colours and its cursor. */
async function screenOf(terminal: TmuxTerminal): Promise<{ text: string; cursor: string }> {
  return { text: await terminal.screen({ colours: true }), cursor: await terminal.ask('#{cursor_x},#{cursor_y}') }
}

/** Until nothing changed between two looks. */
async function settled(terminal: TmuxTerminal): Promise<void> {
  let before = await screenOf(terminal)
  await waitFor('the screen is still', async () => {
    const now = await screenOf(terminal)
    const isStill = now.text === before.text && now.cursor === before.cursor
    before = now
    return isStill
  })
}
