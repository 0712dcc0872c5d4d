import { IpRange } from '@cmdop/protocol'
import type { Selectable } from 'kysely'
import { z } from 'zod'
import type { TunnelRow, TunnelStore } from '../tunnel-store.ts'
import type { Database, Tables } from './tables.ts'

const Peers = z.array(IpRange)

/** {@link TunnelStore} in SQL. */
export function createTunnelStore(db: Database): TunnelStore {
  const open = () => db.selectFrom('tunnels').selectAll().where('closedAt', 'is', null)
  return {
    create: async (tunnel) => {
      await db.insertInto('tunnels').values(toTable(tunnel)).execute()
    },
    get: async (tunnelId) =>
      asRow(await db.selectFrom('tunnels').selectAll().where('id', '=', tunnelId).executeTakeFirst()),
    bySubdomain: async (subdomain) => asRow(await open().where('subdomain', '=', subdomain).executeTakeFirst()),
    list: async (fleetId, { offset, limit, machineIds }) => {
      const known = open().where('fleetId', '=', fleetId)
      const wanted = machineIds === undefined ? known : known.where('machineId', 'in', [...machineIds, ''])
      const rows = await wanted.orderBy('createdAt', 'desc').orderBy('id').limit(limit).offset(offset).execute()
      const counted = wanted.clearSelect().select((column) => column.fn.countAll().as('total'))
      const { total } = await counted.executeTakeFirstOrThrow()
      return { items: rows.map(fromTable), total: Number(total) }
    },
    expired: async (now, limit) =>
      (await open().where('expiresAt', '<=', now).orderBy('expiresAt').limit(limit).execute()).map(fromTable),
    openKeys: async () => {
      const rows = db.selectFrom('tunnels').select('createdByKeyId').distinct().where('closedAt', 'is', null)
      return (await rows.execute()).map(({ createdByKeyId }) => createdByKeyId)
    },
    ofKey: async (keyId) => (await open().where('createdByKeyId', '=', keyId).execute()).map(fromTable),
    close: async (tunnelId, closedAt, closedReason) => {
      const { numUpdatedRows } = await db
        .updateTable('tunnels')
        .set({ closedAt, closedReason })
        .where('id', '=', tunnelId)
        .where('closedAt', 'is', null)
        .executeTakeFirst()
      return numUpdatedRows === 1n
    },
    count: async (tunnelId, { bytes, connections }) => {
      const row = await db
        .updateTable('tunnels')
        .set((column) => ({
          bytes: column('bytes', '+', bytes),
          connections: column('connections', '+', connections),
        }))
        .where('id', '=', tunnelId)
        .returning('bytes')
        .executeTakeFirst()
      return row?.bytes ?? 0
    },
    prune: async (before) => {
      await db.deleteFrom('tunnels').where('closedAt', '<', before).execute()
    },
  }
}

function asRow(row: Selectable<Tables['tunnels']> | undefined): TunnelRow | undefined {
  return row === undefined ? undefined : fromTable(row)
}

function toTable({ allowedPeers, insecureTls, ...row }: TunnelRow): Tables['tunnels'] {
  const peers = allowedPeers === null ? null : JSON.stringify(allowedPeers)
  return { ...row, allowedPeers: peers, insecureTls: Number(insecureTls) }
}

function fromTable({ allowedPeers, insecureTls, ...row }: Selectable<Tables['tunnels']>): TunnelRow {
  return {
    ...row,
    allowedPeers: allowedPeers === null ? null : Peers.parse(JSON.parse(allowedPeers)),
    insecureTls: insecureTls !== 0,
  }
}
