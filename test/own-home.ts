import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A home of its own for each run of the tests: their shells read no start files of whoever runs them, and leave nothing there. */
export default function ownHome(): () => void {
  const home = mkdtempSync(join(tmpdir(), 'cmdop-home-'))
  process.env['HOME'] = home
  // The processes that tests start load the same sources over and over: each is compiled once.
  process.env['NODE_COMPILE_CACHE'] = join(home, 'compile-cache')
  return () => rmSync(home, { recursive: true, force: true })
}
