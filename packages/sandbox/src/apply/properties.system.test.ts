import { describe, expect, test } from 'vitest'
import { checkApplyEqualsRealRun, checkApplyEqualsView, checkApplyRefusesOrIsExact } from '../testing/properties.ts'
import { hasOverlays, overlayKinds, startOverlays } from '../testing/test-view.ts'

describe.runIf(hasOverlays).each(overlayKinds)(
  'random scripts of file operations, as an ordinary user: $user',
  ({ user }) => {
    test('the disk after an apply is what a real run makes of a copy, and undo gives back the original', async () => {
      await using overlays = await startOverlays({ user })
      await checkApplyEqualsRealRun(overlays, 12)
    })

    test('the disk after an apply is what the view showed, hard links among the files or not', async () => {
      await using overlays = await startOverlays({ user })
      await checkApplyEqualsView(overlays, 12)
    })

    test('when the disk was changed by others, an apply refuses or is exact', async () => {
      await using overlays = await startOverlays({ user })
      const { refused, exact } = await checkApplyRefusesOrIsExact(overlays, 12)
      expect(refused + exact).toBe(12)
    })
  },
)
