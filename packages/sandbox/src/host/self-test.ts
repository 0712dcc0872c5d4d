import { mkdirSync, readFileSync, readlinkSync, readdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { libc, StepError } from './libc.ts'
import { parseMounts } from './mount-table.ts'
import type { HostPlan } from './plan.ts'

const F_GETFD = 1

/**
 * Proves on the calling thread, from the kernel's own account of it, that it is where the plan says and has no rights beyond.
 * Throws a {@link StepError} of step `self-test`; nothing may run then.
 */
export function proveSandbox(plan: HostPlan): void {
  proveRights(plan)
  proveDescriptors()
  if (plan.view !== 'none') proveView(plan)
  if (
    plan.network === 'none' &&
    plan.privilege !== 'none' &&
    readlinkSync('/proc/thread-self/ns/net') === plan.outerNetwork
  )
    fail('the network is the machine’s')
  proveReadOnly(plan)
}

function proveRights(plan: HostPlan): void {
  const { capabilities } = plan
  const status = readFileSync('/proc/thread-self/status', 'utf8')
  const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? ''
  const expected = (capabilities ?? []).reduce((bits, bit) => bits | (1n << BigInt(bit)), 0n)
  if (capabilities !== undefined && field('Seccomp') !== '2') fail('no filter of system calls is installed')
  if (plan.noNewPrivileges && field('NoNewPrivs') !== '1') fail('rights can still be gained')
  for (const name of ['CapEff', 'CapPrm', 'CapAmb', ...(plan.privilege === 'none' ? [] : ['CapBnd'])])
    if (capabilities !== undefined && (BigInt(`0x${field(name)}`) & ~expected) !== 0n)
      fail(`${name} has more than was planned`)
  if (plan.user !== undefined && field('Uid') !== String(plan.user.uid)) fail('the user is another one')
}

function proveDescriptors(): void {
  for (const name of readdirSync('/proc/thread-self/fd')) {
    const flags = Number(name) > 2 ? libc().fcntl(Number(name), F_GETFD, 0) : 1
    if (flags !== -1 && (flags & 1) === 0) fail(`descriptor ${name} would be open in commands`)
  }
}

function proveView(plan: HostPlan): void {
  const mounts = parseMounts(readFileSync('/proc/thread-self/mountinfo', 'utf8'))
  const root = mounts.findLast(({ path }) => path === '/')
  const type = plan.privilege === 'root' ? 'overlay' : 'tmpfs'
  if (root?.type !== type) fail(`the root is ${root?.type ?? 'nothing'}, not ${type}`)
  for (const path of ['/proc/sys'])
    if (mounts.findLast((mount) => mount.path === path)?.readOnly !== true) fail(`${path} can be written`)
}

/** Looks for the kernel's refusal where the plan wants one. What it makes by mistake, it removes. */
function proveReadOnly(plan: HostPlan): void {
  const isOpen = plan.view === 'overlay' && plan.privilege === 'root' && plan.writable === undefined
  if (isOpen || (plan.view === 'none' && plan.landlock?.writable === undefined)) return
  const canary = join('/', `.cmdop-canary-${process.pid}`)
  try {
    mkdirSync(canary)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') return
    fail(`writing gave ${String(code)}`)
  }
  rmdirSync(canary)
  fail('a directory could be made outside of what may be written')
}

function fail(what: string): never {
  throw new StepError('self-test', what)
}
