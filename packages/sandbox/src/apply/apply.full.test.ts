import { describe, expect, test } from 'vitest'
import { killAtSteps } from '../testing/crashes.ts'
import { checkApplyEqualsRealRun, checkApplyEqualsView, checkApplyRefusesOrIsExact } from '../testing/properties.ts'
import { overlayKinds, startOverlays } from '../testing/test-view.ts'

const RUNS = Number(process.env['CMDOP_PROPERTY_RUNS'] ?? 250)

describe.each(overlayKinds)('in full, as an ordinary user: $user', ({ user }) => {
  test(`${RUNS} random scripts: the disk after an apply is what a real run makes of a copy, and undo gives back the original`, async () => {
    await using overlays = await startOverlays({ user })
    await checkApplyEqualsRealRun(overlays, RUNS)
  })

  test(`${RUNS} random scripts: the disk after an apply is what the view showed, hard links among the files or not`, async () => {
    await using overlays = await startOverlays({ user })
    await checkApplyEqualsView(overlays, RUNS)
  })

  test(`${RUNS} random scripts: when the disk was changed by others, an apply refuses or is exact`, async () => {
    await using overlays = await startOverlays({ user })
    const { refused, exact } = await checkApplyRefusesOrIsExact(overlays, RUNS)
    expect(refused).toBeGreaterThan(RUNS / 20)
    expect(exact).toBeGreaterThan(RUNS / 20)
  })

  test.each(['apply', 'undo', 'recover'] as const)('a process killed before every write of %s leaves all or nothing after the next start', async (action) => {
    await using overlays = await startOverlays({ user })
    expect(await killAtSteps(overlays, action, 1)).toBeGreaterThan(40)
  })
})
