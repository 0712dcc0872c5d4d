import { test } from 'vitest'
import { assertSnapshots } from './testing/snapshot-property.ts'

test('a screen that is painted at any point of any output shows the same', () => assertSnapshots(20_000))
