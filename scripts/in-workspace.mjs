// node scripts/in-workspace.mjs <script> [...]: installs, then runs a script of package.json with the workspace's own Node.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { install, node, root } from './install.mjs'

install()
const pnpm = join(root, 'node_modules', 'pnpm', 'bin', 'pnpm.cjs')
const { status } = spawnSync(node, [pnpm, '--silent', 'run', ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' })
process.exit(status ?? 1)
