import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type EntryState, readState } from '../disk/entry-state.ts'
import type { Change } from './change.ts'
import { createDeferredCheck } from './deferred.ts'

const folder = mkdtempSync(join(tmpdir(), 'cmdop-deferred-'))
afterAll(() => rmSync(folder, { recursive: true }))
writeFileSync(join(folder, 'some file'), 'content')
const file = readState(Buffer.from(join(folder, 'some file'))) as EntryState

function change(
  path: string,
  {
    before = false,
    kind = before ? 'modified' : 'added',
    after = {},
  }: { before?: boolean; kind?: Change['kind']; after?: Partial<EntryState> } = {},
): Change {
  return {
    kind,
    layer: { root: '/', upper: '' },
    path: Buffer.from(path.slice(1)),
    after: { ...file, ...after },
    ...(before && { before: file }),
  }
}

const check = createDeferredCheck({
  homes: ['/home/ann', '/srv/työ'],
  programs: [join(folder, 'bin'), '/usr/bin'],
  extra: ['/srv/jobs'],
})
const ruleOf = (each: Change, added: readonly string[] = []) => check(each, new Set(added))

test.each([
  ['/home/ann/.bashrc', 'shell-startup'],
  ['/home/somebody/.profile', 'shell-startup'],
  [Buffer.from('/srv/työ/.zshrc').toString(), 'shell-startup'],
  ['/home/ann/.config/fish/functions/ls.fish', 'shell-startup'],
  ['/etc/profile.d/x.sh', 'shell-startup'],
  ['/home/ann/.ssh/authorized_keys', 'ssh'],
  ['/anywhere/.ssh/rc', 'ssh'],
  ['/etc/cron.d/job', 'cron'],
  ['/etc/cron.daily/job', 'cron'],
  ['/var/spool/cron/crontabs/root', 'cron'],
  ['/etc/systemd/system/x.service', 'service'],
  ['/home/ann/.config/systemd/user/x.timer', 'service'],
  ['/home/ann/.config/autostart/x.desktop', 'service'],
  ['/etc/init.d/x', 'service'],
  ['/etc/sudoers.d/x', 'login'],
  ['/etc/pam.d/sshd', 'login'],
  ['/etc/ld.so.preload', 'loader'],
  ['/etc/udev/rules.d/99.rules', 'loader'],
  ['/etc/apt/apt.conf.d/99x', 'package-hook'],
  ['/etc/logrotate.d/x', 'package-hook'],
  ['/work/project/.git/hooks/pre-commit', 'git-hook'],
  ['/work/bare.git/hooks/post-receive', 'git-hook'],
  ['/home/ann/.gitconfig', 'git-config'],
  ['/home/ann/.vimrc', 'program-startup'],
  ['/work/.envrc', 'program-startup'],
  ['/srv/jobs/next', 'configured'],
])('%s runs later: %s', (path, rule) => {
  expect(ruleOf(change(path))).toBe(rule)
})

test.each([
  '/home/ann/notes.txt',
  '/work/project/.git/hooks/pre-commit.sample',
  '/work/project/.git/index',
  '/home/ann/project/package.json',
  '/home/ann/bashrc',
  '/srv/jobsearch/list',
  '/usr/bin/a-command-that-nobody-has',
  '/etc/passwd',
  '/etc/hosts',
  '/var/lib/dpkg/info/new.postinst',
])('%s does not', (path) => {
  expect(ruleOf(change(path))).toBeUndefined()
})

test('a program that was there, or one that hides another, runs later; only its mode does not', () => {
  mkdirSync(join(folder, 'bin'))
  writeFileSync(join(folder, 'bin', 'tool'), '')
  expect(ruleOf(change('/usr/bin/sort', { before: true }))).toBe('path')
  expect(ruleOf(change('/usr/bin/tool'))).toBe('path')
  expect(ruleOf(change('/home/ann/bin/tool'))).toBe('path')
  expect(ruleOf(change('/usr/bin/sort', { before: true, kind: 'metadata' }))).toBeUndefined()
})

test('setuid and capabilities that a file gets run later, whatever its place', () => {
  expect(ruleOf(change('/work/tool', { after: { mode: 0o4755 } }))).toBe('privilege')
  const xattrs = new Map([['security.capability', Buffer.from('01', 'hex')]])
  expect(ruleOf(change('/work/tool', { before: true, kind: 'metadata', after: { xattrs } }))).toBe('privilege')
})

test('the home of a user who is made by the same effect may be filled, but for keys', () => {
  expect(ruleOf(change('/home/new/.bashrc'), ['/home/new'])).toBeUndefined()
  expect(ruleOf(change('/home/new/.ssh/authorized_keys'), ['/home/new'])).toBe('ssh')
})

test('the configuration of a repository runs something only by its keys and sections', () => {
  const config = (name: string, content: string) => {
    const path = join(folder, name)
    mkdirSync(join(path, '.git'), { recursive: true })
    writeFileSync(join(path, 'content'), content)
    const source = { where: 'upper', root: path, path: Buffer.from('content') } as const
    return ruleOf({ ...change(join(path, '.git/config')), source })
  }
  expect(
    config(
      'plain',
      '[core]\n\tbare = false\n[branch "fsmonitor"]\n\tmerge = refs/heads/alias\n[user]\n\tname = hookspath\n',
    ),
  ).toBeUndefined()
  expect(config('hooks', '[core]\n\thooksPath = /tmp\n')).toBe('git-config')
  expect(config('alias', '[alias]\n\tst = !sh\n')).toBe('git-config')
  expect(config('filter', '[filter "x"]\n\tsmudge = sh\n')).toBe('git-config')
})
