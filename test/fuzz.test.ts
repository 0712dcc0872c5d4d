import { test } from 'vitest'
import { fuzzApi } from './api-fuzz.ts'
import { fuzzChannel } from './channel-fuzz.ts'

test('1,000 requests of wrong types, sizes, encodings and paths get no fault, no stack and nothing of another fleet', async () => {
  await fuzzApi(1000)
}, 120_000)

test('500 calls and frames of wrong types, sizes and targets get no fault, no stack and nothing of another fleet', async () => {
  await fuzzChannel(500)
}, 120_000)
