import { expect, test } from 'vitest'
import { nameListeners, parseLaunchdList, parseSystemdUnits } from './services.ts'

test('systemd names the running units and the failed ones', () => {
  const text = `cron.service            loaded active running Regular background program processing daemon
getty@tty1.service      loaded active running Getty on tty1
nginx.service           loaded failed failed  A high performance web server
systemd-udevd.service   loaded active running Rule-based Manager for Device Events and Files
`
  expect(parseSystemdUnits(text)).toEqual({
    source: 'systemd',
    running: ['cron', 'getty@tty1', 'systemd-udevd'],
    failed: ['nginx'],
  })
})

test('launchd names what runs and what exited with an error, not what it ended itself', () => {
  const text =
    'PID\tStatus\tLabel\n312\t0\tcom.apple.cfprefsd\n-\t-9\tcom.apple.idle\n-\t78\torg.example.job\n-\t0\tcom.apple.on\n'
  expect(parseLaunchdList(text)).toEqual({
    source: 'launchd',
    running: ['com.apple.cfprefsd'],
    failed: ['org.example.job'],
  })
})

const port = (process: string | null) => ({ protocol: 'tcp', address: '0.0.0.0', port: 80, process }) as const

test('without a service manager every process behind a port is named once, and failures are not known', () => {
  expect(nameListeners([port('node'), port('nginx'), port(null), port('nginx')])).toEqual({
    source: 'listening-processes',
    running: ['nginx', 'node'],
    failed: null,
  })
})

test('no listening socket at all means no service, which is an answer', () => {
  expect(nameListeners([]).running).toEqual([])
})

test('ports that could not be read, or whose owners are all hidden, are no answer', () => {
  expect(() => nameListeners(null)).toThrow('could not be read')
  expect(() => nameListeners([port(null)])).toThrow('may not see who owns')
})
