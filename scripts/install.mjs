// Brings the workspace's packages, with nothing but Node 20 and npm. Plain JavaScript, because nothing is there before it.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** The Node 24 that the workspace brings itself. */
export const node = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node')

const stamp = join(root, 'node_modules', '.cmdop-installed')

/** Installs what the lock file says, unless that is what is there. Everything it prints goes to stderr. */
export function install() {
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'pnpm-lock.yaml')))
    .digest('hex')
  if (existsSync(node) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  process.stderr.write(`installing packages with ${packageManager} ...\n`)
  const { status } = spawnSync(
    'npx',
    ['-y', packageManager, 'install', '--frozen-lockfile', '--reporter=append-only', '--loglevel=warn'],
    {
      cwd: root,
      // Nothing is asked, and nothing but results may come on stdout.
      env: { ...process.env, CI: 'true' },
      stdio: ['ignore', 2, 2],
      shell: process.platform === 'win32',
    },
  )
  if (status !== 0) {
    process.stderr.write('the packages could not be installed; see above. The npm registry must be reachable.\n')
    process.exit(status ?? 1)
  }
  writeFileSync(stamp, wanted)
}
