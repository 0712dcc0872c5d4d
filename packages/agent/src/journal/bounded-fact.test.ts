import { MAX_RUN_ENTRY_BYTES } from '@cmdop/protocol'
import { tool } from 'ai'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { createAgent } from '../agent.ts'
import { createMemoryJournal, type JournalEntry } from '../ports/journal.ts'
import type { RunOptions } from '../run/task.ts'
import { localMachine } from '../testing/local-machine.ts'
import { journalOf } from '../testing/journal-of.ts'
import { sampleFacts } from '../testing/sample-facts.ts'
import { scriptedModel, type ScriptedStep } from '../testing/scripted-model.ts'
import { cutMark } from './bounded-fact.ts'

const machine = localMachine(sampleFacts())

async function journaled(steps: readonly ScriptedStep[], options: RunOptions = {}) {
  const journal = createMemoryJournal()
  using model = scriptedModel(steps)
  const agent = createAgent({ machine, model, journal, env: {} })
  return { agent, journal, result: await agent.run('Go', options) }
}

function largest(entries: readonly JournalEntry[]): number {
  return Math.max(...entries.map((entry) => Buffer.byteLength(JSON.stringify(entry))))
}

test.each([
  ['ASCII', 'x'.repeat(6_000_000)],
  ['of two bytes a character', 'ü'.repeat(3_000_000)],
  ['that JSON escapes', '"\n'.repeat(3_000_000)],
])('an answer of 6 MB, %s, ends no run, which can be gone through again', async (_, text) => {
  const { agent, journal, result } = await journaled([{ text }])
  expect(result.output).toBe(text)
  expect(largest(journal.entries)).toBeLessThan(MAX_RUN_ENTRY_BYTES)
  const again = [await agent.resume(result.runId), await agent.replay(result.runId)]
  for (const { output } of again) expect(String(output)).toMatch(new RegExp(`^["xü][^]*\\${cutMark}[^]*["xü\n]$`))
})

test('a typed answer of many parts ends no run either', async () => {
  const input = { items: Array.from({ length: 600_000 }, (_, index) => `item ${index}`) }
  const outputSchema = z.object({ items: z.array(z.string()) })
  const { journal, result } = await journaled([{ calls: [{ tool: 'final_result', input }] }], { outputSchema })
  expect(result.output).toEqual(input)
  expect(largest(journal.entries)).toBeLessThan(MAX_RUN_ENTRY_BYTES)
})

test('a call that was too long to be written down whole is not made from the journal', async () => {
  const taken: string[] = []
  const take = tool({ inputSchema: z.object({ text: z.string() }), execute: ({ text }) => taken.push(text) })
  const call = { tool: 'take', input: { text: 'x'.repeat(5_000_000) } }
  const { journal, result } = await journaled([{ calls: [call] }, { text: 'done' }], { tools: { take } })
  const left = journal.entries.slice(0, journal.entries.findIndex(({ type }) => type === 'step_ended') + 1)
  const before = journalOf(left)
  using model = scriptedModel([{ text: 'done' }])
  const agent = createAgent({ machine, model, journal: before, env: {} })
  const resumed = await agent.resume(result.runId, { tools: { take } })
  expect(resumed.toolCalls).toMatchObject([{ outcome: 'not-run' }])
  expect(model.seen[0]?.toolResults[0]?.text).toContain('too long to be written down whole')
  expect(taken).toHaveLength(1)
})
