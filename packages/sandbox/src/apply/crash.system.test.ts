import { expect, test } from 'vitest'
import { killAtSteps } from '../testing/crashes.ts'
import { hasOverlays, startOverlays } from '../testing/test-view.ts'

test.runIf(hasOverlays).each(['apply', 'undo', 'recover'] as const)(
  'a process killed in the middle of %s leaves all or nothing after the next start',
  async (action) => {
    await using overlays = await startOverlays()
    expect(await killAtSteps(overlays, action, 17)).toBeGreaterThan(2)
  },
)
