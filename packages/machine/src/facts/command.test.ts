import { expect, test } from 'vitest'
import { readCommand } from './command.ts'

test('a program gets its arguments as they are, with no shell in between', async () => {
  await expect(readCommand('echo', ['$HOME; ls'], AbortSignal.timeout(5_000))).resolves.toBe('$HOME; ls\n')
})

test('a program that fails rejects with what it wrote to stderr', async () => {
  await expect(readCommand('ls', ['/no/such/folder'], AbortSignal.timeout(5_000))).rejects.toThrow(/No such file/i)
})

test('a program that never ends is killed when the signal is aborted', async () => {
  const controller = new AbortController()
  const reading = readCommand('sleep', ['1000'], controller.signal)
  controller.abort(new Error('enough'))
  await expect(reading).rejects.toThrow('enough')
})
