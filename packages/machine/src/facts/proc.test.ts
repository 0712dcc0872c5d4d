import { expect, test } from 'vitest'
import { chooseProcessName, readEach } from './proc.ts'

test('a name the kernel cut is completed from the command line', () => {
  expect(chooseProcessName('systemd-resolve', '/usr/lib/systemd/systemd-resolved\0')).toBe('systemd-resolved')
})

test('the name Node gives its thread is replaced by the program', () => {
  expect(chooseProcessName('MainThread', '/usr/bin/node\0server.js\0')).toBe('node')
})

test('a script keeps its own name, not that of its interpreter, and a thread of the kernel has only one', () => {
  expect(chooseProcessName('certbot', '/usr/bin/python3\0/usr/bin/certbot\0')).toBe('certbot')
  expect(chooseProcessName('kworker/0:1', '')).toBe('kworker/0:1')
})

test('processes that end while they are read are left out, and other failures are not', async () => {
  const signal = AbortSignal.timeout(5_000)
  const failWith = (code: string) => Promise.reject(Object.assign(new Error(code), { code }))
  const ids = Array.from({ length: 100 }, (_, id) => id)
  const odd = await readEach(ids, signal, (id) => (id % 2 === 0 ? failWith('ESRCH') : Promise.resolve(id)))
  expect(odd).toEqual(ids.filter((id) => id % 2 === 1))
  await expect(readEach(ids, signal, () => failWith('EMFILE'))).rejects.toThrow('EMFILE')
})
