/** The service that is deployed: `GET /` says its version, `GET /price?net=100` what that costs with tax. Its folder is the argument. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'

const [, , folder = ''] = process.argv
const read = (...path: string[]): unknown => JSON.parse(readFileSync(join(...path), 'utf8'))
const { version, taxPercent, needs } = read(import.meta.dirname, 'release.json') as Release
const config = read(folder, 'config.json') as { port: number }

/** `release.json`. `needs`: a setting without which it knows no prices. */
interface Release {
  readonly version: string
  readonly taxPercent: number
  readonly needs?: string
}

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  if (pathname !== '/price') return response.end(JSON.stringify({ version }))
  if (needs !== undefined && !(needs in config))
    return response.writeHead(500).end(JSON.stringify({ error: `config.json has no "${needs}"` }))
  return response.end(JSON.stringify({ gross: Number(searchParams.get('net')) * (1 + taxPercent / 100) }))
})
server.listen(config.port, '127.0.0.1', () => process.send?.('ready'))
process.on('SIGTERM', () => process.exit(0))
