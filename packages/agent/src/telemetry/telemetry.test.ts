import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { afterEach, expect, test } from 'vitest'
import * as z from 'zod'
import { createAgent } from '../agent.ts'
import { localMachine } from '../testing/local-machine.ts'
import { sampleFacts } from '../testing/sample-facts.ts'
import { scriptedModel } from '../testing/scripted-model.ts'
import { answer, failure, scriptedWorld, shell } from '../testing/scripted-world.ts'
import { conventionsVersion } from './telemetry.ts'

const outputSchema = z.object({ word: z.string() })

afterEach(() => {
  trace.disable()
  context.disable()
  propagation.disable()
})

function startSdk(): InMemorySpanExporter {
  const exporter = new InMemorySpanExporter()
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  return exporter
}

test('a run, its steps and its calls are spans by the conventions, without what was said', async () => {
  const exporter = startSdk()
  using world = scriptedWorld([{ calls: [shell('echo very private')] }, { calls: [answer] }])
  await world.agent.run('Say nothing', { outputSchema })
  const spans = exporter.getFinishedSpans()
  expect(spans.map((span) => span.name)).toEqual([
    'chat scripted',
    'execute_tool run_command',
    'chat scripted',
    'invoke_agent terminal',
  ])
  const [chat, tool, , run] = spans
  expect(chat?.attributes).toEqual({
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'scripted',
    'gen_ai.request.model': 'scripted',
    'gen_ai.response.finish_reasons': ['tool-calls'],
    'gen_ai.usage.input_tokens': 10,
    'gen_ai.usage.output_tokens': 5,
  })
  expect(tool?.attributes).toMatchObject({ 'gen_ai.tool.name': 'run_command', 'gen_ai.tool.call.id': 'call-1-1' })
  expect(run?.attributes).toMatchObject({ 'gen_ai.operation.name': 'invoke_agent', 'cmdop.run.status': 'completed' })
  for (const span of [chat, tool]) expect(span?.parentSpanContext?.spanId).toBe(run?.spanContext().spanId)
  expect(run?.instrumentationScope.schemaUrl).toContain(conventionsVersion)
  expect(JSON.stringify(spans.map((span) => [span.attributes, span.status, span.events]))).not.toMatch(
    /private|nothing/,
  )
})

test('what a tool starts is a child of its call, and a failed run says which error it was', async () => {
  const exporter = startSdk()
  const parents: unknown[] = []
  const machine = localMachine(sampleFacts())
  const exec: typeof machine.exec = (...args) => {
    parents.push(trace.getActiveSpan()?.spanContext().spanId)
    return machine.exec(...args)
  }
  using model = scriptedModel([{ calls: [shell('true')] }, { error: new Error('secret words') }])
  const error = await failure(
    createAgent({ machine: { ...machine, exec }, model, env: {} }).run('Go', { outputSchema }),
  )
  expect(error.code).toBe('model')
  const spans = exporter.getFinishedSpans()
  expect(parents).toEqual([spans.find((span) => span.name === 'execute_tool run_command')?.spanContext().spanId])
  expect(spans.at(-1)?.attributes).toMatchObject({ 'error.type': 'model', 'cmdop.run.status': 'failed' })
  expect(JSON.stringify(spans.map((span) => [span.attributes, span.status]))).not.toContain('secret words')
})
