import { expect, test } from 'vitest'
import { dangerOf } from './danger.ts'

const command = (text: string | string[], tainted = false) =>
  dangerOf({ tool: 'run_command', input: { command: text }, tainted })

test('What the operator wants to do is as dangerous as the policy says, and at least high after suspicious data', () => {
  expect(command('rm -rf /')).toBe('critical')
  expect(command(['sudo', 'rm', '-rf', '--no-preserve-root', '/'])).toBe('critical')
  expect(command('env X=1 timeout 5 rm -rf /etc')).toBe('critical')
  expect(command('rm -rf /srv/app')).toBe('high')
  expect(command('uptime')).toBe('low')
  expect(command('uptime', true)).toBe('high')
  expect(command('rm -rf /', true)).toBe('critical')
  expect(dangerOf({ tool: 'pay', input: { command: 'uptime' }, tainted: false })).toBe('medium')
  expect(dangerOf({ tool: 'run_command', input: null, tainted: false })).toBe('medium')
  expect(dangerOf({ tool: 'write_file', input: { path: '/srv/x', content: '' }, tainted: false })).toBe('medium')
})
