import { expect, test } from 'vitest'
import { ApiDocument, apiPage } from './api-page.ts'
import { startWorld } from './world.ts'

test('docs/api.md says what the relay serves; run it with -u to make it anew', async () => {
  await using world = await startWorld({ machines: 0 })
  const document = ApiDocument.parse(await (await fetch(`${world.relay.url}/api/openapi.json`)).json())
  await expect(apiPage(document)).toMatchFileSnapshot('../docs/api.md')
})
