import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { jsonSchema, tool } from 'ai'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createAgent } from '../agent.ts'
import { createMemoryJournal, type JournalEntry, type MemoryJournal, type StoredEntry } from '../ports/journal.ts'
import { localMachine } from '../testing/local-machine.ts'
import { sampleFacts } from '../testing/sample-facts.ts'
import { answer, failure } from '../testing/scripted-world.ts'
import { type ScriptedStep, scriptedModel } from '../testing/scripted-model.ts'
import { createHistory } from './history.ts'
import { readEntries } from './stored-entries.ts'

/**
 * Journals as versions of this package wrote them, one entry a line. A file is never changed, and never taken away: a run that
 * began with an old version goes on with this one. A new form adds files of its own.
 */
const corpus: Readonly<Record<string, string>> = {
  'v1-failed.jsonl': '120d7c6ceefa15cc6a133555979577bb9f62c0da5fe3c2eb82cf1b3784300f64',
  'v1-resumed.jsonl': '2285a0bf833af1e45978c5688dc2e265cd2a1f96f053462675e018be9ccc5f42',
  'v1-stopped.jsonl': '0808d6e98f310f27d6e81b35eda367f74bdb409eddbe883155f4ecaa0989a371',
  'v1-terminal.jsonl': '17f28e085f14dda7144a4e028f5b646003a469e1e2083ebf8f5f361d069ae380',
}

const folder = new URL('./corpus/', import.meta.url)
const contentOf = (name: string) => readFileSync(new URL(name, folder), 'utf8')
const storedIn = (name: string) =>
  contentOf(name)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as StoredEntry)

/** Every type of entry that there is. */
const types: Record<JournalEntry['type'], true> = {
  run_started: true,
  run_resumed: true,
  step_started: true,
  step_ended: true,
  call_started: true,
  call_ended: true,
  run_stopped: true,
  run_ended: true,
}

describe('the corpus of journals', () => {
  test('has its files as they were written', () => {
    const found = readdirSync(folder).map((name) => [name, createHash('sha256').update(contentOf(name)).digest('hex')])
    expect(Object.fromEntries(found)).toEqual(corpus)
  })

  test.each(Object.keys(corpus))('loads: %s', (name) => {
    const stored = storedIn(name)
    const entries = readEntries(stored)
    expect(entries.map(({ entry }) => entry)).toEqual(stored.map(({ entry }) => entry))
    expect(createHistory('run', entries, 'resume').started.machineId).toBe('mch_corpus')
  })

  test('has every type of entry', () => {
    const found = new Set(
      Object.keys(corpus).flatMap((name) => readEntries(storedIn(name)).map((each) => each.entry.type)),
    )
    expect([...found].toSorted()).toEqual(Object.keys(types).toSorted())
  })
})

const outputSchema = z.object({ word: z.string() })
const inputSchema = jsonSchema<{ id: number }>({
  type: 'object',
  properties: { id: { type: 'number' } },
  required: ['id'],
})
/** The tool of the corpus' runs. */
const look = tool({ description: 'Looks up a word.', inputSchema, execute: async ({ id }) => `word ${id}` })

/** An agent on the machine of the corpus, with one of its journals. */
async function agentWith(name: string, steps: readonly ScriptedStep[]) {
  const journal: MemoryJournal = createMemoryJournal()
  const { signal } = new AbortController()
  for (const [index, { entry }] of readEntries(storedIn(name)).entries())
    await journal.append(entry, { writer: 'before', index, signal })
  const model = scriptedModel(steps)
  const machine = { ...localMachine(sampleFacts()), id: 'mch_corpus' }
  const agent = createAgent({ machine, model, journal, env: {} })
  return { agent, runId: journal.entries[0]?.runId ?? '', [Symbol.dispose]: () => model.assertComplete() }
}

test('a run of version 1 that stopped goes on', async () => {
  using world = await agentWith('v1-stopped.jsonl', [{ calls: [answer] }])
  const result = await world.agent.resume(world.runId, { outputSchema, tools: { look } })
  expect(result).toMatchObject({ output: { word: 'yes' }, toolCalls: [{ output: 'word 1', outcome: 'done' }] })
  expect(result.usage.totalTokens).toBe(30)
})

test('a run of version 1 that was resumed can be played', async () => {
  using world = await agentWith('v1-resumed.jsonl', [])
  for (const commands of ['recorded', 'real'] as const) {
    const result = await world.agent.replay(world.runId, { outputSchema, tools: { look }, commands })
    expect(result.output).toEqual({ word: 'yes' })
    expect(result.toolCalls.map(({ output }) => output)).toEqual(['word 1', 'word 2'])
  }
})

test('a run of version 1 that failed for good fails again', async () => {
  using world = await agentWith('v1-failed.jsonl', [])
  const error = await failure(world.agent.resume(world.runId, { outputSchema }))
  expect(error).toMatchObject({ code: 'output_invalid', result: { status: 'failed', text: 'no' } })
})

test('a form of a later version is `unsupported`, and what is no entry is `integrity`', () => {
  const [first] = storedIn('v1-failed.jsonl')
  const entry = first?.entry as JournalEntry
  const stored = (more: object) => [{ at: entry.at, entry: { ...entry, ...more } }]
  expect(() => readEntries(stored({ v: 2, new: 1 }))).toThrow(expect.objectContaining({ code: 'unsupported' }))
  expect(() => readEntries(stored({ type: 'nothing_we_know' }))).toThrow(expect.objectContaining({ code: 'integrity' }))
  expect(() => readEntries(stored({ messages: 'none' }))).toThrow(expect.objectContaining({ code: 'integrity' }))
  expect(() => createHistory('run', [], 'resume')).toThrow(expect.objectContaining({ code: 'integrity' }))
})
