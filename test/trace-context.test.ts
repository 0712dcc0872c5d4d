import { createAgent } from '@cmdop/agent'
import { scriptedModel } from '@cmdop/agent/testing'
import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startWorld, type World } from './world.ts'

const exporter = new InMemorySpanExporter()
let world: World
beforeAll(async () => {
  world = await startWorld()
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
})
afterAll(async () => {
  trace.disable()
  context.disable()
  await world[Symbol.asyncDispose]()
})

const shown = 'echo "trace=$TRACEPARENT"'

test('the commands of a run are in the trace of the call that made them, each in its own', async () => {
  const calls = [`export CARRIED=1; ${shown}`, shown].map((command) => ({ tool: 'run_command', input: { command } }))
  using model = scriptedModel([...calls.map((call) => ({ calls: [call] })), { text: 'Done.' }])
  const { toolCalls } = await createAgent({ machine: world.handle, model, env: {} }).run('Show it')
  const spans = exporter.getFinishedSpans().filter(({ name }) => name === 'execute_tool run_command')
  expect(spans).toHaveLength(2)
  expect(toolCalls.map(({ output }) => (output as { stdout: string }).stdout)).toEqual(
    spans.map((span) => `trace=00-${span.spanContext().traceId}-${span.spanContext().spanId}-01\n`),
  )
})

test('a command of a script is in its span, unless it was given another trace; outside of one there is none', async () => {
  const { handle } = world
  await trace.getTracer('test').startActiveSpan('deploy', async (span) => {
    const { traceId, spanId } = span.spanContext()
    expect((await handle.exec(shown)).stdout).toBe(`trace=00-${traceId}-${spanId}-01\n`)
    expect((await handle.exec(shown, { env: { TRACEPARENT: 'own' } })).stdout).toBe('trace=own\n')
    span.end()
  })
  expect((await handle.exec(shown)).stdout).toBe('trace=\n')
})
