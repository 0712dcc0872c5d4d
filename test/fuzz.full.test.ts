import { test } from 'vitest'
import { fuzzApi } from './api-fuzz.ts'
import { fuzzChannel } from './channel-fuzz.ts'

test('100,000 requests of wrong types, sizes, encodings and paths get no fault, no stack and nothing of another fleet', async () => {
  for (let batch = 0; batch < 10; batch += 1) await fuzzApi(10_000)
})

test('100,000 calls and frames of wrong types, sizes and targets get no fault, no stack and nothing of another fleet', async () => {
  for (let batch = 0; batch < 10; batch += 1) await fuzzChannel(10_000)
})
