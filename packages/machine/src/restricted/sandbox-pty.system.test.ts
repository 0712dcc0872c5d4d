import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSandbox, type Sandbox } from '@cmdop/sandbox'
import { afterAll, beforeAll, describe } from 'vitest'
import { hasViews } from '../testing/has-views.ts'
import type { PtyHost } from '../sessions/pty/pty.ts'
import { testPty } from '../sessions/pty/pty-suite.ts'
import { sandboxPtyHost } from './sandbox-pty.ts'

let folder = ''
let sandbox: Sandbox
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cmdop-pty-'))
  sandbox = await openSandbox({ dryRun: true }, { folder, cwd: '/' })
})
afterAll(async () => {
  await sandbox.discard()
  await rm(folder, { recursive: true })
})

const host: PtyHost = { spawn: (request) => sandboxPtyHost(sandbox).spawn(request) }

describe.runIf(hasViews)('a pseudo-terminal of a sandbox', () => testPty(host, { largeRuns: 1, smallRuns: 20 }))
