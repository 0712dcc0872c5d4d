import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { salvageJson } from './salvage.ts'

test.each([
  ['{"a": 1}', [{ a: 1 }]],
  ['Sure:\n```json\n{"a": 1}\n```\nBye.', [{ a: 1 }]],
  ['Like this:\n```json\n{"a": 1}\n```\nor this: ```\n[2]\n```', []],
  ['A healthy answer would be {"a": "}"}, but I could not reach it.', []],
  ["{'a': 1, b: 2,}", [{ a: 1, b: 2 }]],
  ['', []],
  ['All is well [see the log], {probably}.', []],
  ['{"services": ["nginx", "ss', []],
])('%j holds %j', (text, values) => {
  expect(salvageJson(text)).toEqual(values)
})

test('JSON is found as it is, and in a fence with prose around it; no text makes it throw', () => {
  const object = fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 })
  fc.assert(
    fc.property(object, fc.stringMatching(/^[a-z .]*$/), fc.stringMatching(/^[a-z .]*$/), (value, before, after) => {
      const json = JSON.stringify(value)
      expect(salvageJson(` ${json}\n`)).toEqual([JSON.parse(json)])
      expect(salvageJson(`${before}\n\`\`\`json\n${json}\n\`\`\`\n${after}`)).toEqual([JSON.parse(json)])
    }),
  )
  fc.assert(fc.property(fc.string(), (text) => void salvageJson(text)))
})
