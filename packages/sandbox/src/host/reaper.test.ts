import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

test.runIf(process.platform === 'linux')(
  'everybody who has all ended has an answer, also who is told of an end only while that is done',
  () => {
    const script = fileURLToPath(new URL('../testing/reap-ended.ts', import.meta.url))
    const said = execFileSync(process.execPath, ['--conditions=@cmdop/source', script], { encoding: 'utf8' })
    expect(JSON.parse(said)).toEqual(['the freeze', 'who had ended'])
  },
)
