import { playbook, step } from '@cmdop/fleet'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { parseInputs } from './parse-inputs.ts'

const book = playbook('inputs', {
  inputs: z.object({ version: z.string(), count: z.number().optional(), hosts: z.array(z.string()).default([]) }),
  steps: [step.exec('one', 'true')],
})

test('a value is text where the playbook takes text, else JSON, and what is neither is told by the playbook', () => {
  expect(parseInputs(book, ['version=12', 'count=3', 'hosts=["a","b"]'])).toEqual({
    version: '12',
    count: 3,
    hosts: ['a', 'b'],
  })
  expect(parseInputs(book, ['version=a=b'])).toEqual({ version: 'a=b' })
  expect(parseInputs(book, ['version=1', 'count=many'])).toEqual({ version: '1', count: 'many' })
  expect(parseInputs(book)).toEqual({})
})

test('what is no name and value is refused, and so is a name twice', () => {
  for (const wrong of [['version'], ['=x'], ['version=1', 'version=2']])
    expect(() => parseInputs(book, wrong)).toThrow(expect.objectContaining({ code: 'config' }))
})
