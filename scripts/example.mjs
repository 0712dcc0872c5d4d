// npm start: installs, then runs examples/start on this machine. npm run example -- <name> [arguments]: another one.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { install, node, root } from './install.mjs'

const [name = '', ...argv] = process.argv.slice(2)
const mainOf = (example) => join(root, 'examples', example, 'src', 'main.ts')
const names = readdirSync(join(root, 'examples')).filter((each) => existsSync(mainOf(each)))
if (!names.includes(name)) {
  process.stderr.write(`Expected the name of an example, one of ${names.join(', ')}, got "${name}".\n`)
  process.exit(2)
}
install()
const child = spawn(node, ['--conditions=@cmdop/source', mainOf(name), ...argv], { stdio: 'inherit' })
// ^C reaches both; the example ends what it started, and its exit code is ours.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
