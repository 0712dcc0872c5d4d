import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, installService, type Service } from '@cmdop/example-local-system'

const program = fileURLToPath(new URL('orders-service.ts', import.meta.url))

/** `config.json` of the service. */
export interface OrdersConfig {
  readonly port: number
  /** Directory of the ledger. */
  readonly store: string
  /** It takes no order while there are so many files in `spool`. */
  readonly spoolFiles: number
}

/** The service whose incidents these are. */
export interface Orders extends Service {
  readonly config: OrdersConfig
  /** Whether it takes an order within three seconds: it, and not another service on its port. */
  takesOrders(): Promise<boolean>
}

/** Installs it in a folder, on a free port unless one is given, and starts it. */
export async function startOrders(folder: string, port?: number): Promise<Orders> {
  const service = await installService(folder, 'orders', program)
  const config = { port: port ?? (await freePort()), store: join(folder, 'store'), spoolFiles: 50 }
  await Promise.all(['store', 'spool'].map((name) => mkdir(join(folder, name))))
  await writeFile(join(folder, 'store', 'ledger.json'), '{ "paid": [] }\n')
  for (const name of ['config.json', 'config.json.orig'])
    await writeFile(join(folder, name), `${JSON.stringify(config, null, 2)}\n`)
  await service.start()
  const order = async () => {
    const signal = AbortSignal.timeout(3000)
    const answer = await fetch(`http://127.0.0.1:${config.port}/orders`, { method: 'POST', signal })
    return answer.ok && (await answer.text()).startsWith(join(folder, 'spool'))
  }
  const takesOrders = () => order().catch(() => false)
  return { ...service, config, takesOrders }
}
