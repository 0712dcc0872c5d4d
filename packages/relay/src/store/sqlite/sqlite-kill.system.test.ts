import { describe } from 'vitest'
import { itSurvivesKills } from './kill-cycles.ts'

describe('the SQLite store', () => {
  itSurvivesKills(5)
})
