import { describe } from 'vitest'
import { itSurvivesKills } from './kill-cycles.ts'

/** The check of a whole file grows with it, so the 300 kills are spread over several. */
const files = 15

for (let file = 1; file <= files; file += 1) {
  describe(`the SQLite store on file ${file} of ${files}`, () => {
    itSurvivesKills(20)
  })
}
