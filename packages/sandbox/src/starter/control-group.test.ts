import { existsSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ControlGroup } from './control-group.ts'

/** Plain files in the places of the kernel's: what is written where. That the kernel then holds it is not shown by this. */
let root = ''
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'cmdop-groups-'))
  mkdirSync(join(root, 'system.slice/cmdop.service/daemon'), { recursive: true })
  writeFileSync(join(root, 'system.slice/cmdop.service/cgroup.controllers'), 'cpu memory pids\n')
  writeFileSync(join(root, 'system.slice/cgroup.controllers'), 'memory\n')
})
afterAll(() => rm(root, { recursive: true }))

const delegated = () => ({ root, own: '1:name=systemd:/\n0::/system.slice/cmdop.service/daemon\n' })

test('bounds for all together go to a group beside that of the daemon, with what the host itself takes', () => {
  const group = ControlGroup.forLimits('one', { tasksMax: 10, memoryMaxBytes: 1_000_000_000 }, delegated())
  group?.add(4711)
  const above = join(root, 'system.slice/cmdop.service')
  const read = (name: string) => readFileSync(join(above, name), 'utf8')
  expect(read('cgroup.subtree_control')).toBe('+pids +memory')
  expect(read('cmdop-one/pids.max')).toBe('26')
  expect(read('cmdop-one/memory.max')).toBe('1067108864')
  expect(read('cmdop-one/memory.swap.max')).toBe('0')
  expect(read('cmdop-one/cgroup.procs')).toBe('4711')
})

test('a group that cannot be removed yet is removed a little later', async () => {
  const group = ControlGroup.forLimits('busy', { tasksMax: 10 }, delegated())
  const path = join(root, 'system.slice/cmdop.service/cmdop-busy')
  group?.[Symbol.dispose]()
  expect(existsSync(path)).toBe(true)
  unlinkSync(join(path, 'pids.max'))
  await expect.poll(() => existsSync(path), { timeout: 10_000 }).toBe(false)
})

test('without such bounds there is none', () => {
  expect(ControlGroup.forLimits('two', { processes: 10 }, delegated())).toBeUndefined()
  expect(ControlGroup.forLimits('two', undefined, delegated())).toBeUndefined()
})

test.each([
  ['cgroup v1', '1:name=systemd:/\n'],
  ['a group without that controller', '0::/system.slice/other.service\n'],
])('with %s they are refused', (_, own) => {
  expect(() => ControlGroup.forLimits('three', { tasksMax: 10 }, { root, own })).toThrow(
    expect.objectContaining({
      code: 'restriction_unenforceable',
      details: expect.objectContaining({ restriction: 'limits.tasksMax', executed: false }),
    }),
  )
})

test('a group that cannot be made is refused with its errno', () => {
  mkdirSync(join(root, 'system.slice/cmdop.service/cmdop-four'))
  expect(() => ControlGroup.forLimits('four', { tasksMax: 10 }, delegated())).toThrow(
    expect.objectContaining({ details: expect.objectContaining({ errno: 'EEXIST' }) }),
  )
})
