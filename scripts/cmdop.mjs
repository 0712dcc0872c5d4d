// npm run --silent cmdop -- <command>: installs, then runs the command line from its sources.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { install, node, root } from './install.mjs'

install()
const main = join(root, 'packages', 'cli', 'src', 'main.ts')
const child = spawn(node, ['--conditions=@cmdop/source', main, ...process.argv.slice(2)], { stdio: 'inherit' })
// ^C reaches both; the command ends what it runs, and its exit code is ours.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => child.kill(signal === 'SIGINT' ? 0 : signal))
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
