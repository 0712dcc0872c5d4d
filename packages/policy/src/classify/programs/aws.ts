import { type Word, valueOf } from '../../parse/simple-command.ts'
import { optionsOf, readAll } from '../checks.ts'
import { type Check, READS, changes, deletes, unclear } from '../command-class.ts'

/** Options of every operation. `--query` is JMESPath, and only picks from what came. */
const general = optionsOf(
  '--no-cli-pager --no-paginate --no-sign-request --recursive --human-readable --summarize --follow --dry-run --include-all-instances --all --profile= --region= --output= --query= --filters= --filter= --max-items= --page-size= --starting-token= --since= --start-time= --end-time= --filter-pattern= --log-group-name= --log-stream-name= --log-group-name-prefix= --lookup-attributes= --format= --cli-read-timeout= --cli-connect-timeout= --color=',
)

/** What names a thing to look at: `--instance-ids`, `--db-instance-identifier`, `--stack-name`. */
const NAMES =
  /^--(?!cli-|endpoint|ca-bundle|out|no-verify|profile)[a-z][a-z0-9-]*?(?:names?|ids?|arns?|identifiers?|buckets?|keys?|prefix|types?|status|states|dimensions|statistics|period|namespace|clusters?|services|tasks|owners|limit|max-results|path|version|stage)$/

const READING =
  /^(?:describe-[a-z0-9-]+|list-[a-z0-9-]+|head-[a-z0-9-]+|ls|tail|filter-log-events|lookup-events|get-caller-identity|get-metric-statistics|get-metric-data|get-cost-and-usage|get-(?:bucket|public-access)-[a-z-]+|get-log-events|get-queue-attributes|get-(?:user|role|policy|group|account-summary|function-configuration|parameters?-history|hosted-zone|topic-attributes|distribution|rest-apis|resources))$/

/** `aws ec2 describe-instances`: what it does is in the name of the operation. What stands after that may be a file to write to. */
export const checkAws: Check = (words) => {
  const plain = withoutNames(words)
  const deleting = /^(?:rm|rb|(?:batch-)?delete-.*|terminate-.*|deregister-.*|remove-.*|purge-.*)$/
  if (words.some((word) => deleting.test(valueOf(word) ?? '') || valueOf(word) === '--delete'))
    return deletes('removes what is in the cloud')
  const given = readAll(plain, general)
  if ('class' in given) return given
  const [service, operation, ...others] = given.operands.map(valueOf)
  if (service === undefined || operation === undefined) return unclear('is not known before it runs')
  if (service === 'configure' && operation === 'list')
    return others.length === 0 ? READS : unclear('may do more than read')
  if (service === 's3' && operation === 'ls' && /^s3:\/\/|^$/.test(others[0] ?? '') && others.length < 2) return READS
  if (service === 'logs' && operation === 'tail' && others.length === 1) return READS
  if (others.length > 0) return unclear('has a word that may be a file that it writes to')
  return READING.test(operation) ? READS : changes('changes the cloud')
}

/** Without the options that name a thing, and the values that come next: as many as are no options. */
function withoutNames(words: readonly Word[]): readonly Word[] {
  const left: Word[] = []
  for (let index = 0; index < words.length; index += 1) {
    const text = valueOf(words[index])
    if (text === undefined || !NAMES.test(text) || left.length < 2) {
      left.push(words[index] as Word)
      continue
    }
    // One that is named in the plural takes several.
    do index += isValue(words[index + 1]) ? 1 : 0
    while (text.endsWith('s') && isValue(words[index + 1]))
  }
  return left
}

function isValue(word: Word | undefined): boolean {
  return word !== undefined && !word.splits && /^[^-]/.test(valueOf(word) ?? word.start)
}
