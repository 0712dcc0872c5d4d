import { describeBus } from './bus-conformance.ts'
import { createMemoryBus } from './memory-bus.ts'

describeBus('The bus in one process', async () => {
  const bus = createMemoryBus()
  return { one: bus, two: bus, [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose]() }
})
