import { valueOf } from '../../parse/simple-command.ts'
import { optionTable } from '../../unwrap/options.ts'
import {
  type CheckTable,
  alwaysChanges,
  alwaysDeletes,
  each,
  reads,
  readsExcept,
  readsOnlyWith,
  tool,
} from '../checks.ts'
import { type Check, changes, deletes, unclear } from '../command-class.ts'

const removes = alwaysDeletes('removes containers, images, volumes or networks')
const runs = alwaysChanges('changes what runs')

const objects = 'ls list ps inspect logs top stats port diff history df events info show'

/** `docker container ls`, `docker volume rm`. */
const group = tool({
  commands: {
    ...each(objects, reads),
    ...each('rm remove prune kill', removes),
    ...each('start stop restart pause unpause rename update create connect disconnect pull push tag load import', runs),
  },
})

const compose = tool({
  options: optionTable('compatibility', 'f p file project-name profile env-file ansi progress'),
  commands: {
    ...each('ps ls logs top images port version events', reads),
    config: readsExcept('o output lock-image-digests', '', unclear('may write a file')),
    ...each('down rm kill', removes),
    ...each('up start stop restart pause unpause build pull push create scale', runs),
  },
})

const docker = tool({
  options: optionTable('D debug v version', 'l log-level'),
  commands: {
    ...each('ps images logs inspect stats top version info port diff history search events', reads),
    ...each(
      'container image volume network system node service stack config secret plugin builder buildx swarm context',
      group,
    ),
    compose,
    ...each('rm rmi kill', removes),
    ...each(
      'start stop restart pause unpause rename update create pull push tag load import commit build cp save export login logout',
      runs,
    ),
  },
})

/** Options that say where kubectl finds its settings, which can name programs, and where it writes. */
const kubectlRisky =
  'kubeconfig cache-dir profile profile-output output-directory s server token client-key client-certificate'

const kubectlRead = readsExcept(
  kubectlRisky,
  'n l o c L namespace selector output context',
  unclear('may run something or go elsewhere'),
)

const kubectlChange =
  'apply create edit patch scale label annotate set cordon uncordon taint expose autoscale run cp certificate'

const kubectl = tool({
  options: optionTable('A all-namespaces', 'n context namespace request-timeout cluster user v'),
  commands: {
    ...each('get describe logs top events explain version api-resources api-versions wait options', kubectlRead),
    'cluster-info': (words, command) => (words.length === 0 ? kubectlRead(words, command) : unclear('may write files')),
    rollout: tool({
      commands: { ...each('status history', kubectlRead), ...each('restart undo pause resume', runs) },
    }),
    config: tool({ commands: each('view current-context get-contexts get-clusters get-users', kubectlRead) }),
    auth: tool({ commands: each('can-i whoami', kubectlRead) }),
    ...each(kubectlChange, (words) =>
      words.some(
        ({ values, start }) =>
          /^--(?:prune|force)/.test(values?.[0] ?? start) || (values?.[0] ?? '') === '--replicas=0',
      )
        ? deletes('removes what is in the cluster')
        : changes('changes the cluster'),
    ),
    ...each('delete drain replace', alwaysDeletes('removes what is in the cluster')),
  },
})

const terraform = tool({
  options: optionTable('help version', 'chdir'),
  commands: {
    ...each('version output', reads),
    state: tool({
      commands: { list: reads, ...each('rm', alwaysDeletes('forgets what was made')), ...each('mv pull push', runs) },
    }),
    workspace: tool({ commands: { ...each('list show', reads), delete: alwaysDeletes('removes a workspace') } }),
    destroy: alwaysDeletes('removes everything that was made'),
    apply: alwaysDeletes('may remove and replace what was made'),
    ...each('init import taint untaint refresh', runs),
    plan: alwaysUnclearPlan,
  },
})

/** Containers, clusters and clouds. */
export const containerTable: CheckTable = {
  ...each('docker podman nerdctl', docker),
  'docker-compose': compose,
  ...each('kubectl oc', kubectl),
  helm: tool({
    options: optionTable('debug', 'n namespace kube-context'),
    commands: {
      ...each('list ls status history version env search lint', readsExcept('kubeconfig', 'n namespace')),
      ...each(
        'get show',
        tool({
          commands: each(
            'all hooks manifest metadata notes values chart crds readme',
            readsExcept('kubeconfig', 'n o namespace output'),
          ),
        }),
      ),
      ...each('uninstall delete del un', alwaysDeletes('removes a release')),
      ...each('install upgrade rollback', runs),
      repo: tool({ commands: { list: reads, update: runs, add: runs, remove: alwaysDeletes('removes a repository') } }),
    },
  }),
  ...each('terraform tofu', terraform),
  aws: checkAws,
  crictl: group,
  ceph: tool({
    options: optionTable('s status'),
    commands: { ...each('status health df', reads), osd: tool({ commands: each('tree df stat status', reads) }) },
  }),
  consul: tool({ commands: { members: readsOnlyWith('detailed') } }),
  vault: tool({ commands: { status: readsOnlyWith('') } }),
}

function alwaysUnclearPlan(): ReturnType<Check> {
  return unclear('runs the programs that its files name')
}

/** `aws ec2 describe-instances`: what it does is in the name of the operation. */
function checkAws(...[words]: Parameters<Check>): ReturnType<Check> {
  const options = optionTable('no-cli-pager no-paginate debug', 'profile region output query')
  const texts = words.map(valueOf)
  const operands = texts.filter((text, index) => {
    const before = texts[index - 1] ?? ''
    return text?.startsWith('-') !== true && !(before.startsWith('--') && options.values.has(before.slice(2)))
  })
  const [service, operation] = operands
  if (service === undefined || operation === undefined) return unclear('is not known before it runs')
  const hasFile = texts.some((text) => /^--(?:outfile|cli-input|endpoint-url|ca-bundle)/.test(text ?? ''))
  const hasUnknown = words.some((word) => word.splits || (word.values === undefined && word.start === ''))
  if (/^(?:rm|rb|delete-|terminate-|deregister-|remove-|purge-)/.test(operation) || texts.includes('--delete'))
    return deletes('removes what is in the cloud')
  if (hasFile || hasUnknown) return unclear('may do more than read')
  const reading =
    /^(?:describe-|list-|ls$|filter-log-events$|tail$|head-|get-caller-identity$|get-(?!object|session|federation|credentials|authorization))/
  const isFileOutput = service === 's3api' && operation.startsWith('get-object')
  return reading.test(operation) && !isFileOutput
    ? { class: 'read', reason: 'only reads' }
    : changes('changes the cloud')
}
