// npm start: installs, then runs the main job on this machine. See examples/health-check.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { install, node, root } from './install.mjs'

install()
const example = join(root, 'examples', 'health-check', 'src', 'main.ts')
const child = spawn(node, ['--conditions=@cmdop/source', example, ...process.argv.slice(2)], { stdio: 'inherit' })
// ^C reaches both; the example ends what it started, and its exit code is ours.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
