import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { prepareShell } from './prepare-shell.ts'
import { startTestShell } from './test-shell.ts'

const shells = ['/bin/bash', '/bin/sh']

describe.concurrent.each(shells)('commands in %s', (shell) => {
  test('never interleave: the second waits for the first', async () => {
    await using session = await startTestShell({ shell })
    const numbers = Array.from({ length: 20 }, (_, index) => index)
    const results = await Promise.all(
      numbers.map((number) => session.execute(`echo ${number}; sleep 0.01; echo ${number}`)),
    )
    expect(results.map(({ output }) => output.toString())).toEqual(
      numbers.map((number) => `${number}\r\n${number}\r\n`),
    )
  })

  test('get conflict while another one runs, as asked', async () => {
    await using session = await startTestShell({ shell })
    const first = session.execute('sleep 1001', { timeoutMs: 1000 })
    await session.shows((shown) => shown.includes('sleep 1001'))
    await expect(session.execute('true', { whenBusy: 'conflict' })).rejects.toMatchObject({ code: 'conflict' })
    expect(await first).toMatchObject({ reason: 'deadline', exitCode: 130 })
    expect(await session.execute('true', { whenBusy: 'conflict' })).toMatchObject({ exitCode: 0 })
  })

  test('are not run at all when they are cancelled, or late, before their turn', async () => {
    await using session = await startTestShell({ shell })
    const cancel = new AbortController()
    const first = session.execute('sleep 1002', { signal: cancel.signal })
    await session.shows((shown) => shown.includes('sleep 1002'))
    await expect(session.execute('touch late', { timeoutMs: 1 })).rejects.toMatchObject({ code: 'timeout' })
    await expect(session.execute('touch late', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    })
    cancel.abort()
    expect(await first).toMatchObject({ reason: 'cancelled', exitCode: 130 })
    expect((await session.execute('ls')).output.toString()).toBe('')
  })

  test('give 10 MB byte-exact', async () => {
    await using session = await startTestShell({ shell })
    const { output } = await session.execute('head -c 10000000 /dev/zero | tr "\\0" x; printf end')
    expect(output.length).toBe(10_000_003)
    const expected = createHash('sha256')
      .update(`${'x'.repeat(10_000_000)}end`)
      .digest('hex')
    expect(createHash('sha256').update(output).digest('hex')).toBe(expected)
  })

  test('are seen by who watches: the command after the prompt, and then its output, but nothing of ours', async () => {
    await using session = await startTestShell({ shell, env: { PS1: '$ ' }, home: quietPrompt })
    await session.execute('echo one\necho two\x1b')
    await session.execute('true')
    const shown = session.plain
    expect(shown).toContain('$ echo one\necho two^[\none\ntwo\x1b\n$ true\n')
    expect(shown).not.toContain('cmdop')
    expect(shown).not.toContain('\x1b]133')
  })

  test('run after what somebody typed and did not send is thrown away', async () => {
    await using session = await startTestShell({ shell })
    await session.execute('true')
    await session.shows(isPrompt)
    session.type('echo for "')
    await session.shows((shown) => shown.includes('echo for "'))
    expect((await session.execute('echo done')).output.toString()).toBe('done\r\n')
    session.type('echo "unfinished\n')
    await session.shows((shown) => /unfinished[^]*> /.test(shown))
    expect((await session.execute('echo done')).output.toString()).toBe('done\r\n')
  })

  test('are not refused by a prompt that comes before the shell was asked', async () => {
    const [handed, prompted] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const beforeCommand = async () => {
      handed.resolve()
      await prompted.promise
    }
    await using session = await startTestShell({ shell, beforeCommand })
    await session.shows(isPrompt)
    const executed = session.execute('echo done')
    await handed.promise
    const mark = (kind: string, value: string) =>
      `\x1b]133;${kind};cmdop=${session.nonce};${value};;${session.nonce}\x07`
    session.driver.feed(Buffer.from(`${mark('A', '')}$ ${mark('B', '0')}`))
    prompted.resolve()
    expect(await executed).toMatchObject({ exitCode: 0 })
    expect((await executed).output.toString()).toBe('done\r\n')
  })

  test('wait for what somebody else runs', async () => {
    await using session = await startTestShell({ shell })
    await session.execute('true')
    await session.shows(isPrompt)
    session.type('cat; echo over""all\n')
    await session.shows((shown) => shown.includes('cat; echo over""all\n'))
    const waiting = session.execute('echo after')
    session.type('text\n')
    await session.shows((shown) => shown.endsWith('text\n'))
    session.type('\x04')
    expect((await waiting).output.toString()).toBe('after\r\n')
    expect(session.plain).toMatch(/overall\n[^\n]*echo after\nafter\n/)
  })

  test('run although somebody changed the prompt', async () => {
    await using session = await startTestShell({ shell })
    await session.execute('true')
    await session.shows(isPrompt)
    session.type("PS1='changed> '\n")
    await session.shows((shown) => shown.includes('\nchanged> '))
    expect((await session.execute('echo done')).output.toString()).toBe('done\r\n')
  })

  test('that do not end in any way leave the shell to who started them, and say so', async () => {
    await using session = await startTestShell({ shell })
    await session.execute('true')
    const stuck = await session.execute("trap '' INT; while [ ! -e go ]; do :; done", { timeoutMs: 100 })
    expect(stuck).toMatchObject({ reason: 'deadline', exitCode: null })
    await expect(session.execute('true', { whenBusy: 'conflict' })).rejects.toMatchObject({ code: 'conflict' })
    writeFileSync(join(session.cwd, 'go'), '')
    expect((await session.execute('echo done')).output.toString()).toBe('done\r\n')
  })

  test('are refused with a NUL, over their limit, and after the end', async () => {
    await using session = await startTestShell({ shell })
    await expect(session.execute('a\0b')).rejects.toMatchObject({ code: 'validation' })
    await expect(session.execute('x'.repeat(65_537))).rejects.toMatchObject({ code: 'validation' })
    const ending = session.execute('exit 4')
    const late = expect(session.execute('true')).rejects.toMatchObject({ code: 'session_ended' })
    expect(await ending).toMatchObject({ reason: 'session-ended', exitCode: 4 })
    await late
    await expect(session.execute('true')).rejects.toMatchObject({ code: 'session_ended' })
  })

  test('are not left in a file, and the files are for nobody else', async () => {
    await using session = await startTestShell({ shell })
    await session.execute('true')
    const folder = join(session.cwd, '..', "private 'folder'")
    expect(readdirSync(folder)).not.toContain('command')
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o077).toBe(0)
  })
})

describe.concurrent('the history of bash', () => {
  test('holds the commands, and nothing of ours', async () => {
    await using session = await startTestShell({ shell: '/bin/bash' })
    await session.execute('echo one')
    await session.execute('stty raw -echo; sleep 1003', { timeoutMs: 500 })
    await session.execute('echo two\necho three')
    const { output } = await session.execute('history')
    expect(output.toString().match(/^ +\d+ .*/gm)).toEqual([
      '    1  echo one',
      '    2  stty raw -echo; sleep 1003',
      '    3  echo two',
      '    4  history',
    ])
  })

  test('respects what is not to be kept', async () => {
    await using session = await startTestShell({ shell: '/bin/bash', env: { HISTCONTROL: 'ignorespace' } })
    await session.execute(' echo secret')
    await session.execute('echo one')
    const { output } = await session.execute('history')
    expect(output.toString()).toBe('    1  echo one\r\n    2  history\r\n')
  })
})

describe.concurrent('the start of a shell', () => {
  test('reads the files of its user', async () => {
    const home = (folder: string) =>
      writeFileSync(join(folder, '.bashrc'), 'ONE=1\nexport PS1="mine> "\nPROMPT_COMMAND="true;"\n')
    await using session = await startTestShell({ shell: '/bin/bash', home })
    expect((await session.execute('echo $ONE')).output.toString()).toBe('1\r\n')
    expect(session.plain).toContain('mine> ')
  })

  test('of POSIX reads what ENV names, and keeps it', async () => {
    const home = (folder: string) => writeFileSync(join(folder, 'env'), 'ONE=1\n')
    await using plain = await startTestShell({ shell: '/bin/sh' })
    expect((await plain.execute('echo "<$ENV>"')).output.toString()).toBe('<>\r\n')
    const file = join(plain.cwd, '..', 'home', 'env')
    home(join(plain.cwd, '..', 'home'))
    await using session = await startTestShell({ shell: '/bin/sh', env: { ENV: file } })
    expect((await session.execute('echo $ONE; sh -c "echo \\$ENV"')).output.toString()).toBe(`1\r\n${file}\r\n`)
  })

  test('that we do not know is started as it is', () => {
    const prepared = prepareShell({ shell: '/usr/bin/python3', nonce: 'n', folder: '/nowhere', env: { A: '1' } })
    expect(prepared).toEqual({ args: [], env: { A: '1' } })
  })
})

function isPrompt(shown: string): boolean {
  return /[#$] $/.test(shown)
}

function quietPrompt(folder: string): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, '.bashrc'), "PS1='$ '\n")
}
