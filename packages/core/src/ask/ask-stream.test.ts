import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { Client } from '../client.ts'

const done = {
  type: 'done',
  success: true,
  text: 'Up for a day.',
  error: '',
  duration_ms: 1,
  output: null,
  session_id: 's',
  model: 'm',
  tokens_in: null,
  tokens_out: null,
  cost_usd: null,
  run_id: 'run_1',
  effects: [],
}

/** An ask of a relay that says this. */
async function asked(frames: readonly unknown[]) {
  const server = createServer((request, response) => {
    request.resume().once('end', () => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for (const [index, frame] of frames.entries()) response.write(`id: ${index}\ndata: ${JSON.stringify(frame)}\n\n`)
      response.end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = new Client({ baseUrl, token: 'secret', fleetId: 'flt_1', timeoutMs: 10_000 })
  onTestFinished(async () => {
    await client.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return client.machines.ask({ id: 'm_1' }, 'How long is it up?')
}

test('collect gives the text of an ask that succeeded', async () => {
  expect(await (await asked([done])).collect()).toBe('Up for a day.')
})

test('collect throws when somebody else rejected what the ask wanted, with what was said of it and what to do', async () => {
  const said = 'A person rejected what the ask wanted to do.'
  const rejected = { ...done, success: false, text: 'I began.', error: said }
  await expect((await asked([rejected])).collect()).rejects.toMatchObject({
    code: 'permission',
    retryable: false,
    message: `${said} Iterate the ask to see what that is.`,
  })
})

test('whoever iterates gets the same end as a frame', async () => {
  const rejected = { ...done, success: false, error: 'No.' }
  expect(await Array.fromAsync(await asked([rejected]))).toMatchObject([{ type: 'done', success: false, error: 'No.' }])
})
