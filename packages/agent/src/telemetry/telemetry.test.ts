import { context, metrics, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AggregationTemporality,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
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
  metrics.disable()
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

test('a run that works for another one is a child of it, in one trace', async () => {
  const exporter = startSdk()
  const route = (handler: string) => ({ tool: 'final_result', input: { handler, reason: 'It fits.', task: 'Do it.' } })
  const machine = localMachine(sampleFacts())
  const active: unknown[] = []
  const routes = {
    worker: { description: 'Works.', to: machine },
    double: { description: 'Doubles.', to: () => void active.push(trace.getActiveSpan()?.spanContext().spanId) },
  }
  using model = scriptedModel([
    { calls: [route('worker')] },
    { calls: [shell('true')] },
    { text: 'Done.' },
    { calls: [route('double')] },
  ])
  const agent = createAgent({ machine, model, env: {} })
  await agent.run('Go', { agentType: 'router', routes })
  const spans = exporter.getFinishedSpans()
  const [outer, inner] = ['router', 'terminal'].map((type) => spans.find(({ name }) => name === `invoke_agent ${type}`))
  expect(inner?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId)
  expect(new Set(spans.map((span) => span.spanContext().traceId)).size).toBe(1)
  await agent.run('Go', { agentType: 'router', routes })
  expect(active).toEqual([exporter.getFinishedSpans().at(-1)?.spanContext().spanId])
})

test('the tokens and the duration of each call of a model are counted', async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter })
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))
  using world = scriptedWorld([{ calls: [shell('true')] }, { calls: [answer] }, { error: new Error('away') }])
  await world.agent.run('Go', { outputSchema })
  await failure(world.agent.run('Go', { outputSchema }))
  await reader.forceFlush()
  const [scope] = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics)
  const pointsOf = (name: string) =>
    scope?.metrics
      .find(({ descriptor }) => descriptor.name === name)
      ?.dataPoints.map(({ attributes, value }) => ({ attributes, value: value as Histogram }))
  const chat = {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'scripted',
    'gen_ai.request.model': 'scripted',
  }
  expect(pointsOf('gen_ai.client.token.usage')).toMatchObject([
    { attributes: { ...chat, 'gen_ai.token.type': 'input' }, value: { count: 2, sum: 20 } },
    { attributes: { ...chat, 'gen_ai.token.type': 'output' }, value: { count: 2, sum: 10 } },
  ])
  const durations = pointsOf('gen_ai.client.operation.duration')
  expect(durations).toMatchObject([
    { attributes: chat, value: { count: 2 } },
    { attributes: { ...chat, 'error.type': 'model' }, value: { count: 1 } },
  ])
  // Of models in this process: seconds, not milliseconds.
  for (const { value } of durations ?? []) expect(value.sum).toBeLessThan(5)
  await reader.shutdown()
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
