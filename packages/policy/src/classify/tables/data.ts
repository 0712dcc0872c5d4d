import { type Word, valueOf } from '../../parse/simple-command.ts'
import { type OptionTable, optionTable, readLeading } from '../../unwrap/options.ts'
import { type CheckTable, each, readsWith, tool } from '../checks.ts'
import { type Check, type Verdict, READS, changes, deletes, unclear, worst } from '../command-class.ts'
import { checkSql } from '../programs/sql.ts'

const psql = optionTable(
  't A x q w X l E e b a n 1 tuples-only no-align expanded quiet list csv no-psqlrc',
  'c d h p U F P R command dbname host port username field-separator pset',
)
const mysql = optionTable(
  'N B s t r E skip-column-names batch silent table vertical',
  'e h u P D execute host user port database',
)
const sqlite = optionTable('header csv json column readonly line box table batch noheader', 'separator')

/** Databases: by the statements that they are given. */
export const dataTable: CheckTable = {
  psql: (words) => byStatements(words, psql, { statement: ['c', 'command'], listing: ['l', 'list'] }),
  ...each('mysql mariadb', (words) =>
    byStatements(words.map(withoutPassword), mysql, { statement: ['e', 'execute'], listing: [] }),
  ),
  sqlite3: checkSqlite,
  'redis-cli': checkRedis,
  mysqladmin: tool({
    options: '-huP= --host= --user= --port=',
    // A second word is a second command.
    commands: {
      ...each('status processlist ping version variables extended-status', mysqladminRead),
      drop: () => deletes('removes a database'),
    },
  }),
  ...each('dropdb dropuser', () => deletes('removes a database or user')),
  ...each('mongo mongosh', () => unclear('runs code that is not looked at')),
  etcdctl: tool({
    options: '-w= --endpoints= --cacert= --cert= --key= --write-out=',
    commands: {
      get: readsWith(
        '-w= --prefix --keys-only --count-only --print-value-only --from-key --limit= --rev= --order= --sort-by= --write-out= --consistency=',
      ),
      del: () => deletes('removes keys'),
      put: () => changes('sets a key'),
      endpoint: tool({ commands: each('health status', readsWith('-w= --cluster --write-out=')) }),
    },
  }),
  rabbitmqctl: tool({
    commands: {
      ...each(
        'status cluster_status list_queues list_exchanges list_bindings list_connections list_channels list_users list_vhosts',
        readsWith('-qs -p= --quiet --formatter= --vhost= --silent'),
      ),
      ...each('delete_queue delete_user delete_vhost purge_queue reset force_reset', () =>
        deletes('removes queues or users'),
      ),
    },
  }),
}

/** No other command comes after it that does more. */
function mysqladminRead(...[words]: Parameters<Check>): Verdict {
  if (words.some((word) => valueOf(word) === 'drop')) return deletes('removes a database')
  const isReading = words.every((word) =>
    /^(?:status|processlist|ping|version|variables|extended-status)$/.test(valueOf(word) ?? ''),
  )
  return isReading ? READS : unclear('has another command in it')
}

interface StatementOptions {
  readonly statement: readonly string[]
  readonly listing: readonly string[]
}

/** A client that is given its statements by an option. */
function byStatements(words: readonly Word[], table: OptionTable, { statement, listing }: StatementOptions): Verdict {
  let left = words
  const verdicts: Verdict[] = []
  let isListing = false
  while (left.length > 0) {
    const { options, rest, unknown } = readLeading(left, table)
    if (unknown !== undefined) return unclear(`is not known with these words: ${unknown}`)
    for (const { name, value } of options) {
      if (statement.includes(name)) verdicts.push(checkSql(valueOf(value)))
      isListing ||= listing.includes(name)
    }
    left = rest.slice(1)
  }
  if (verdicts.length === 0 && !isListing) return unclear('runs what it is given to read')
  return worst(verdicts)
}

/** The password of `mysql` is attached to its option. */
function withoutPassword(word: Word): Word {
  return /^(?:-p.*|--password(?:=.*)?)$/.test(word.values?.[0] ?? word.start)
    ? { ...word, values: ['-N'], text: '-N', start: '-N', splits: false }
    : word
}

function checkSqlite(words: readonly Word[]): Verdict {
  const plain = words.map((word) => ({
    ...word,
    ...(/^-[a-z]{2,}$/.test(valueOf(word) ?? '') ? { values: [`-${valueOf(word) ?? ''}`] } : {}),
  }))
  const { rest, unknown } = readLeading(plain, sqlite)
  if (unknown !== undefined) return unclear(`is not known with these words: ${unknown}`)
  if (rest.length < 2) return unclear('runs what it is given to read')
  return worst(rest.slice(1).map((word) => checkSql(valueOf(word))))
}

const redisOptions = optionTable('tls no-auth-warning bigkeys latency stat raw csv', 'h p a n u user pass')
const redisReads = new Set(
  'info ping get mget ttl pttl llen hgetall hget hkeys hlen exists type scan dbsize keys strlen lrange smembers scard zrange zcard lastsave time role echo'.split(
    ' ',
  ),
)
const redisGroups =
  /^(?:client (?:list|info)|config get|slowlog (?:get|len)|memory (?:usage|stats|doctor)|cluster (?:info|nodes|slots)|latency (?:latest|history|doctor)|xinfo \w+|object \w+|sentinel (?:masters|master|slaves|replicas|get-master-addr-by-name))$/

const REMOVES =
  /^(?:flushall|flushdb|del|unlink|getdel|ltrim|\w*pop(?:min|max)?|lrem|srem|hdel|zrem\w*|xdel|xtrim|p?expire(?:at)?|rename|restore|eval(?:sha)?(?:_ro)?|fcall|swapdb|shutdown|migrate|debug)$/
const REMOVING_COMMANDS =
  /^(?:script flush|function (?:flush|delete|restore)|cluster (?:reset|forget|flushslots)|xgroup destroy|config resetstat|acl deluser)$/

function checkRedis(words: readonly Word[]): ReturnType<Check> {
  const { options, rest, unknown } = readLeading(words, redisOptions)
  if (unknown !== undefined) return unclear(`is not known with these words: ${unknown}`)
  const [first, second] = rest.map((word) => valueOf(word)?.toLowerCase())
  if (rest.length === 0)
    return options.some(({ name }) => /^(?:bigkeys|latency|stat)$/.test(name))
      ? READS
      : unclear('runs what it is given to read')
  if (first === undefined) return unclear('is not known before it runs')
  const texts = rest.map((word) => valueOf(word)?.toLowerCase() ?? '?')
  if (texts.some((text) => /^-(?!\d+$)./.test(text))) return unclear('is not known with these words')
  // What a script does is not looked at; a word for it is enough.
  if (REMOVES.test(first) || texts.some((text) => /flush(?:all|db)/.test(text))) return deletes('removes keys')
  if (REMOVING_COMMANDS.test(`${first} ${second ?? ''}`)) return deletes('removes keys, or what is set')
  return redisReads.has(first) || redisGroups.test(`${first} ${second ?? ''}`) ? READS : changes('changes a database')
}
