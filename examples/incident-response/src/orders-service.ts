/** A small HTTP service that takes orders: `GET /health`, `POST /orders`. It says in its log what keeps it from that. */
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import type { OrdersConfig } from './orders.ts'

const [, , folder = ''] = process.argv
const at = (...parts: string[]) => join(folder, ...parts)
const log = (line: string) => void process.stdout.write(`${new Date().toISOString()} ${line}\n`)
const config = JSON.parse(readFileSync(at('config.json'), 'utf8')) as OrdersConfig

takeLock()
const server = createServer((request, response) => {
  const trouble = troubleOf()
  if (trouble !== undefined) log(`error ${trouble}`)
  const said = trouble ?? (request.method === 'POST' ? takeOrder() : 'ok')
  response.writeHead(trouble === undefined ? 200 : 503).end(`${said}\n`)
})
server.on('error', (error: NodeJS.ErrnoException) => {
  log(`error ${error.code}: another process listens on 127.0.0.1:${config.port}`)
  end(1)
})
server.listen(config.port, '127.0.0.1', () => {
  log(`info ready on 127.0.0.1:${config.port}`)
  process.send?.('ready')
})
process.on('SIGTERM', () => end(0))

/** The file in which it waits to be delivered. */
function takeOrder(): string {
  const file = at('spool', `${crypto.randomUUID()}.order`)
  writeFileSync(file, '{}')
  return file
}

/** What keeps it from taking orders now. */
function troubleOf(): string | undefined {
  if (!statSync(config.store, { throwIfNoEntry: false })?.isDirectory())
    return `${at('config.json')}: "store" is ${config.store}, and there is no such directory`
  try {
    JSON.parse(readFileSync(join(config.store, 'ledger.json'), 'utf8'))
  } catch {
    return `${join(config.store, 'ledger.json')} is damaged: its JSON does not end; orders that are paid are in no other place`
  }
  const waiting = readdirSync(at('spool')).length
  if (waiting >= config.spoolFiles)
    return `${at('spool')} is full: ${waiting} of ${config.spoolFiles} files; those named *.done are delivered`
  return undefined
}

/** Two of it in one folder would deliver twice. */
function takeLock(): void {
  try {
    writeFileSync(at('run', 'lock'), `${process.pid}\n`, { flag: 'wx' })
  } catch {
    log(`error ${at('run', 'lock')} is held by process ${readFileSync(at('run', 'lock'), 'utf8').trim()}`)
    process.exit(1)
  }
}

function end(code: number): void {
  rmSync(at('run', 'lock'), { force: true })
  process.exit(code)
}
