import { type Verdict, READS, changes, deletes, unclear } from '../command-class.ts'

/** Statements that only show something, by their first word. */
const READING = /^(?:select|show|describe|desc|values|table|explain(?!\s+\(?\s*analy))\b/

const DELETING = /\b(?:drop|delete|truncate|purge)\b/

/** Words that make a statement another, wherever they stand. */
const CHANGING =
  /\b(?:insert|update|alter|create|grant|revoke|copy|into|call|do|execute|set|lock|vacuum|reindex|refresh|merge|replace|load|import|attach|pragma|handler|rename|nextval|setval|for\s+update|for\s+share|system|source|tee|pager)\b/

/** What may stand before a bracket in a statement that reads: functions of the server without effect, and words of SQL. */
const CALLS = new Set(
  'count sum avg min max now round floor ceil abs coalesce nullif greatest least length lower upper trim substring substr left right concat concat_ws to_char to_date date_trunc date extract age interval version current_database current_user current_setting pg_size_pretty pg_database_size pg_relation_size pg_total_relation_size pg_table_size pg_indexes_size pg_is_in_recovery pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_wal_lsn_diff pg_current_wal_lsn pg_postmaster_start_time pg_blocking_pids array_agg string_agg json_agg row_number rank timestampdiff unix_timestamp from_unixtime datediff date_sub date_add ifnull if group_concat format database user char_length strftime datetime julianday in and or not any all exists values over as from where select on join using by filter then when case else having union between like is distinct limit'.split(
    ' ',
  ),
)

/** The class of a text of SQL statements, or of one of the commands of psql. Undefined: it is not known. */
export function checkSql(text: string | undefined): Verdict {
  if (text === undefined) return unclear('runs statements that are not known')
  const plain = text.trim().toLowerCase()
  if (/^\\(?:[dl][a-z]*\+?(?:\s+[\w.*]+)?|conninfo)$/.test(plain)) return READS
  if (DELETING.test(plain)) return deletes('removes what is in a database')
  // Comments and escapes can hide where a statement ends.
  if (/\\|--|\/\*|#|\$\$|`/.test(plain)) return unclear('runs statements that are not looked at')
  if (CHANGING.test(plain)) return changes('changes a database')
  const statements = plain
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
  if (statements.length === 0 || !statements.every((statement) => READING.test(statement)))
    return unclear('runs statements that are not known to read')
  const calls = Array.from(plain.matchAll(/([\w"\].]+)\s*\(/g), ([, name = '']) => name)
  return calls.every((name) => CALLS.has(name)) ? READS : unclear('calls functions that are not known to read')
}
