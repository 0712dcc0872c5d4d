import { describe, expect, test } from 'vitest'
import { checkApplyEqualsRealRun, checkApplyEqualsView, checkApplyRefusesOrIsExact } from '../testing/properties.ts'
import { startOverlays } from '../testing/test-view.ts'

const kinds = process.getuid?.() === 0 ? [{ user: false }, { user: true }] : [{ user: true }]
const N = Number(process.env['N'] ?? 15)
describe.each(kinds)('random scripts of file operations, as an ordinary user: $user', ({ user }) => {
  test('the disk after an apply is what a real run makes of a copy, and undo gives back the original', async () => {
    await using overlays = await startOverlays({ user })
    await checkApplyEqualsRealRun(overlays, N)
  })

  test('the disk after an apply is what the view showed, hard links among the files or not', async () => {
    await using overlays = await startOverlays({ user })
    await checkApplyEqualsView(overlays, N)
  })

  test('when the disk was changed by others, an apply refuses or is exact', async () => {
    await using overlays = await startOverlays({ user })
    const { refused, exact } = await checkApplyRefusesOrIsExact(overlays, N)
    expect(refused + exact).toBeGreaterThanOrEqual(N)
  })
})
