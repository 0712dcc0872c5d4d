import type { Logger } from 'pino'
import type { RelayConfig } from '../config.ts'
import type { RelayKeyRow, Store } from '../store/store.ts'
import { AuditTrail } from './audit-trail.ts'
import { Checkpoints } from './checkpoints.ts'
import { Pruning } from './pruning.ts'
import { SinkSet } from './sinks/sink-set.ts'
import { StatementSigner } from './statement-signer.ts'

export interface AuditLogOptions {
  readonly store: Store
  readonly key: RelayKeyRow
  readonly config: Pick<RelayConfig, 'name' | 'formerNames' | 'auditSinks' | 'auditRetentionDays'>
  readonly relayInstance: string
  readonly log: Logger
}

/** The audit log of one relay: what writes it, signs it, sends it away and prunes it. */
export interface AuditLog {
  readonly trail: AuditTrail
  readonly checkpoints: Checkpoints
  readonly signer: StatementSigner
  /** Writes what waits, that the relay has stopped, and the last checkpoints. */
  close(): Promise<void>
}

/** Starts it. What an earlier process left open is settled before anything else is written. */
export async function startAuditLog({ store, key, config, relayInstance, log }: AuditLogOptions): Promise<AuditLog> {
  const { name, formerNames, auditSinks, auditRetentionDays } = config
  const trail = new AuditTrail({ store: store.audit, name, formerNames, relayInstance })
  const signer = new StatementSigner(key)
  const sinks = new SinkSet(auditSinks, (err, sink) => log.error({ err, sink }, 'a checkpoint could not be sent'))
  const failed = (err: unknown) => log.error({ err }, 'a checkpoint of the audit log could not be made')
  const made = sinks.send.bind(sinks)
  const checkpoints = new Checkpoints({ store, trail, signer, made, failed })
  await trail.start()
  const pruning =
    auditRetentionDays === undefined
      ? undefined
      : new Pruning({
          store,
          trail,
          signer,
          days: auditRetentionDays,
          failed: (err) => log.error({ err }, 'pruning failed'),
        })
  return {
    trail,
    checkpoints,
    signer,
    close: async () => {
      await pruning?.close()
      await trail.close().catch((err: unknown) => log.error({ err }, 'the audit log could not be closed'))
      await checkpoints.close().catch(failed)
      await sinks.close()
    },
  }
}
