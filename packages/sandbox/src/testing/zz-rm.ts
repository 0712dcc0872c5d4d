import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { computeEffects } from '../effects/compute-effects.ts'
import { openSandbox } from '../sandbox.ts'
import { OUTER_STATE, assertOuterWorld } from './outer-world.ts'
assertOuterWorld()
const count = () =>
  execFileSync('sh', [
    '-c',
    `find / -xdev -path ${OUTER_STATE} -prune -o -path /tmp -prune -o -print0 2>/dev/null | sort -z | sha256sum; find / -xdev -path /tmp -prune -o -print 2>/dev/null | wc -l`,
  ]).toString()
const say = (x: unknown) => process.send?.(x)
const before = count()
say(before)
const t0 = performance.now()
const sb = await openSandbox({ dryRun: true }, { folder: join(OUTER_STATE, 'd'), cwd: '/' })
const t1 = performance.now()
const p = await sb.spawn({
  file: 'rm',
  args: ['-rf', '--no-preserve-root', '/'],
  cwd: '/',
  env: { PATH: '/usr/bin:/bin' },
  stdin: false,
})
let err = ''
p.stderr.on('data', (d: Buffer) => {
  if (err.length < 2000) err += d
})
p.stdout.resume()
const exit = await p.exit
const t2 = performance.now()
await sb.freeze()
const e = await computeEffects(sb.view!)
const t3 = performance.now()
say({
  exit,
  err: err.slice(0, 600),
  open: t1 - t0,
  run: t2 - t1,
  effects: t3 - t2,
  counts: e.counts,
  listed: e.effects.length,
  truncated: e.truncated,
  unpreviewable: e.unpreviewable,
  side: e.sideEffects,
  first: e.effects.slice(0, 12).map((x) => [x.kind, x.path, x.collapsed]),
  rss: process.memoryUsage().rss,
})
const after = count()
say({ same: after === before, after })
await sb.discard()
process.disconnect()
