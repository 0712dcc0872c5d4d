import { once } from 'node:events'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import type { AlertConfig } from './alert-config.ts'

/** What a service that wakes people was sent. */
export type Page = AlertConfig & { readonly event: 'page' | 'resolve' }

/** Stands for that service, on loopback. */
export interface Pager extends AsyncDisposable {
  readonly url: string
  readonly pages: readonly Page[]
}

export async function startPager(): Promise<Pager> {
  const pages: Page[] = []
  const server = createServer((request, response) => {
    void json(request).then((page) => {
      pages.push(page as Page)
      response.writeHead(204).end()
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as { port: number }
  return {
    url: `http://127.0.0.1:${port}/pages`,
    pages,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
