import type { Kysely } from 'kysely'
import type { Seal } from '../seal.ts'
import type { Tables } from './tables.ts'

/** Secrets of authenticators, and secrets and addresses of webhooks, are sealed from now on, those that are there too. */
export async function sealSecrets(db: Kysely<Pick<Tables, 'totp' | 'webhooks'>>, seal: Seal): Promise<void> {
  for (const { principalId, secret } of await db.selectFrom('totp').select(['principalId', 'secret']).execute())
    await db
      .updateTable('totp')
      .set({ secret: seal.close(secret, `totp.secret:${principalId}`) })
      .where('principalId', '=', principalId)
      .execute()
  for (const { id, url, secret } of await db.selectFrom('webhooks').select(['id', 'url', 'secret']).execute())
    await db
      .updateTable('webhooks')
      .set({ url: seal.close(url, `webhooks.url:${id}`), secret: seal.close(secret, `webhooks.secret:${id}`) })
      .where('id', '=', id)
      .execute()
}
