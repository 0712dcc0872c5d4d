/**
 * What travels between a relay and the worker that owns its SQLite database. Types only, so that the worker loads
 * nothing. Both directions carry arrays: everything that was asked in one tick is one message.
 */

import type { Table } from './table.ts'

/** Given to the worker when it starts. */
export interface WorkerSettings {
  /** Absolute path of the database file, which exists. */
  readonly file: string
  /** How long a statement waits for another process that holds the file, in milliseconds. */
  readonly busyTimeoutMs: number
  /** A transaction that sends nothing for so long is rolled back, in milliseconds, so that it cannot block the rest. */
  readonly transactionIdleMs: number
}

/** A value that SQLite can bind. */
export type SqlValue = null | number | bigint | string | Uint8Array

/** One statement; of its own (`transaction: null`) it is committed before it is answered. */
export interface StatementRequest {
  readonly id: number
  readonly kind: 'statement'
  readonly transaction: number | null
  /** False for a plain query: it needs no commit. */
  readonly writes: boolean
  readonly sql: string
  readonly parameters: readonly SqlValue[]
}

/** Starts or ends the transaction of that number. Numbers are chosen by the relay and never used twice. */
export interface TransactionRequest {
  readonly id: number
  readonly kind: 'begin' | 'commit' | 'rollback'
  readonly transaction: number
}

/** `stats` answers {@link WorkerStats}; `close` closes the database once everything before it is done. */
export interface ControlRequest {
  readonly id: number
  readonly kind: 'stats' | 'close'
}

export type WorkerRequest = StatementRequest | TransactionRequest | ControlRequest

/** Counts since the worker started. */
export interface WorkerStats {
  /** Commits of statements on their own; each is one fsync. */
  readonly groupCommits: number
  /** Writing statements on their own, failed ones included. */
  readonly groupedStatements: number
  /** Commits of transactions. */
  readonly transactionCommits: number
}

/** Why a statement failed: SQLite's extended result code, or null when SQLite was not asked. */
export interface WorkerFailure {
  readonly sqliteCode: number | null
  readonly message: string
}

export interface WorkerSuccess extends Table {
  readonly id: number
  /** Rows that a writing statement changed. */
  readonly changes: number
  readonly stats?: WorkerStats
}

/** The worker's first answer, which says that the database is open, has the id 0. */
export type WorkerAnswer = WorkerSuccess | { readonly id: number; readonly failure: WorkerFailure }
