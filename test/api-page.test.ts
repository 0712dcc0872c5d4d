import { expect, test } from 'vitest'
import { undescribedFields } from './api-descriptions.ts'
import { ApiDocument, apiPage } from './api-page.ts'
import { startWorld } from './world.ts'

test('docs/api.md says what the relay serves; run it with -u to make it anew', async () => {
  await expect(apiPage(await servedDocument())).toMatchFileSnapshot('../docs/api.md')
})

test('the OpenAPI document says of every field and parameter what it is', async () => {
  expect(undescribedFields(await servedDocument())).toEqual([])
})

async function servedDocument(): Promise<ApiDocument> {
  await using world = await startWorld({ machines: 0 })
  return ApiDocument.parse(await (await fetch(`${world.relay.url}/api/openapi.json`)).json())
}
