import { test } from 'vitest'
import { fuzzApi } from './api-fuzz.ts'
import { fuzzChannel } from './channel-fuzz.ts'

test('2,000 requests of wrong types, sizes, encodings and paths get no fault, no stack and nothing of another fleet', async () => {
  await fuzzApi(2000)
}, 120_000)

test('1,000 calls and frames of wrong types, sizes and targets get no fault, no stack and nothing of another fleet', async () => {
  await fuzzChannel(1000)
}, 120_000)
