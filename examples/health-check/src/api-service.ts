/** A small HTTP service; it refuses to work while its temporary files take more than its share of the disk. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import type { ApiConfig } from './api.ts'

const [, , folder = ''] = process.argv
const { port, tmpBytes } = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as ApiConfig

const server = createServer((_, response) => {
  const tmp = join(folder, 'tmp')
  const used = readdirSync(tmp).reduce((sum, name) => sum + statSync(join(tmp, name)).size, 0)
  if (used > tmpBytes)
    process.stdout.write(`${new Date().toISOString()} error ${tmp} is full: ${used} of ${tmpBytes} bytes\n`)
  response.writeHead(used > tmpBytes ? 507 : 200).end()
})
server.listen(port, '127.0.0.1', () => process.send?.('ready'))
process.on('SIGTERM', () => process.exit(0))
