import {
  type CheckTable,
  alwaysChanges,
  alwaysDeletes,
  each,
  hasOption,
  reads,
  readsWith,
  readsWithWords,
  tool,
  withOption,
} from '../checks.ts'
import { type Check, READS, changes, deletes, unclear } from '../command-class.ts'
import { checkAws } from '../programs/aws.ts'

const removes = alwaysDeletes('removes containers, images, volumes or networks')
const runs = alwaysChanges('changes what runs')

/** `-f` follows here, and takes a value there. */
const listed = readsWith(
  '-aqlsdv --all --quiet --latest --size --no-trunc --no-stream --digests --verbose --human --tree -fn= --format= --filter= --last= --since= --until= --type= --limit=',
)
const logs = readsWith('-ftn --follow --timestamps --details --no-color --no-log-prefix --tail= --since= --until= -n=')
const process = readsWith('-aefuxo --no-stream -o=')

const showing: CheckTable = {
  ...each('ls list ps images info inspect history df events port diff stats show', listed),
  ...each('top', process),
  logs,
}

/** `docker container ls`, `docker volume rm`. */
const group = tool({
  commands: {
    ...showing,
    ...each('rm remove prune kill', removes),
    ...each('start stop restart pause unpause rename update create connect disconnect pull push tag load import', runs),
  },
})

const buildx = tool({
  commands: {
    ...each('ls du version', readsWith('--verbose --filter= --format= --no-trunc')),
    ...each('rm prune', removes),
    history: tool({ commands: { ls: listed, logs, rm: removes } }),
    imagetools: tool({ commands: { inspect: readsWith('--raw --format=') } }),
  },
})

const replacesMore = 'remove-orphans force-recreate V renew-anon-volumes always-recreate-deps'

const compose = tool({
  options: '--compatibility -fp= --file= --project-name= --profile= --env-file= --ansi= --progress=',
  commands: {
    ...each(
      'ps ls images port version',
      readsWith('-aqs --all --quiet --services --short --format= --filter= --status= --index= --protocol= -f='),
    ),
    top: process,
    events: readsWith('--json --since= --until='),
    logs,
    config: readsWith('-q --quiet --services --volumes --images --profiles --hash= --format= --no-interpolate'),
    ...each('down rm kill', removes),
    ...each('up create', withOption(replacesMore, deletes('removes containers that are there'), runs)),
    ...each('start stop restart pause unpause build pull push scale', runs),
  },
})

const docker = tool({
  alone: reads,
  options: '-Dv --debug --version -l= --log-level=',
  commands: {
    ...showing,
    ...each('version search', listed),
    ...each(
      'container image volume network system node service stack config secret plugin builder swarm context',
      group,
    ),
    buildx,
    compose,
    ...each('rm rmi kill', removes),
    ...each(
      'start stop restart pause unpause rename update create pull push tag load import commit build cp save export login logout',
      runs,
    ),
  },
})

/** Options with which kubectl only shows; others say where it finds its settings, which can name programs, or where it writes. */
const kubectlRead = readsWith(
  '-Awfhp --all-namespaces --watch --follow --all-containers --show-labels --no-headers --previous --timestamps --prefix --ignore-not-found --show-kind --watch-only --recursive --client --containers --all --minify --raw --flatten --namespaced --for= --types= --current -nlocLv= --namespace= --selector= --output= --context= --container= --tail= --since= --since-time= --field-selector= --sort-by= --timeout= --label-columns= --request-timeout= --limit-bytes= --max-log-requests= --api-group= --api-version= --verbs= --chunk-size= --cluster= --user= --template= --revision= --server-print --subresource=',
)

const kubectlChange =
  'apply create edit patch scale label annotate set cordon uncordon taint expose autoscale run cp certificate'

const kubectl = tool({
  options: '-A --all-namespaces -nv= --context= --namespace= --request-timeout= --cluster= --user=',
  commands: {
    ...each('get describe logs top events explain version api-resources api-versions wait options', kubectlRead),
    'cluster-info': readsWith('', { maximum: 0 }),
    rollout: tool({
      commands: { ...each('status history', kubectlRead), ...each('restart undo pause resume', runs) },
    }),
    config: tool({ commands: each('view current-context get-contexts get-clusters get-users', kubectlRead) }),
    auth: tool({ commands: each('can-i whoami', kubectlRead) }),
    ...each(kubectlChange, (words) =>
      hasOption(words, 'prune force') ||
      words.some(({ values, start }) => (values?.[0] ?? start).startsWith('--replicas=0'))
        ? deletes('removes what is in the cluster')
        : changes('changes the cluster'),
    ),
    ...each('delete drain replace', alwaysDeletes('removes what is in the cluster')),
  },
})

const terraform: Check = (words, command) =>
  words.some(({ values, start }) => /^--?destroy/.test(values?.[0] ?? start))
    ? deletes('removes everything that was made')
    : terraformCommands(words, command)

const terraformCommands = tool({
  commands: {
    version: readsWithWords('json'),
    output: readsWithWords('json raw no-color', '', 1),
    state: tool({
      commands: {
        ...each('list show', readsWithWords('no-color json', 'id', 20)),
        ...each('rm', alwaysDeletes('forgets what was made')),
        ...each('mv pull push', runs),
      },
    }),
    workspace: tool({
      commands: { ...each('list show', readsWith('')), delete: alwaysDeletes('removes a workspace') },
    }),
    destroy: alwaysDeletes('removes everything that was made'),
    apply: alwaysDeletes('may remove and replace what was made'),
    ...each('init import taint untaint refresh', runs),
    plan: () => unclear('runs the programs that its files name'),
  },
})

const helmRead = readsWith(
  '-Aaqodhlr -nofm= --all-namespaces --all --short --deployed --failed --pending --namespace= --output= --filter= --max= --kube-context= --revision= --selector= --date --reverse --versions --version= --no-headers',
)

/** Containers, clusters and clouds. */
export const containerTable: CheckTable = {
  ...each('docker podman nerdctl', docker),
  'docker-compose': compose,
  ...each('kubectl oc', kubectl),
  helm: tool({
    options: '--debug -n= --namespace= --kube-context=',
    commands: {
      ...each('list ls status history version env search', helmRead),
      ...each(
        'get show',
        tool({ commands: each('all hooks manifest metadata notes values chart crds readme', helmRead) }),
      ),
      ...each('uninstall delete del un', alwaysDeletes('removes a release')),
      ...each('install upgrade rollback', runs),
      repo: tool({
        commands: { list: readsWith(''), ...each('update add', runs), remove: alwaysDeletes('removes a repository') },
      }),
    },
  }),
  ...each('terraform tofu', terraform),
  aws: checkAws,
  crictl: tool({
    commands: {
      ...each(
        'ps pods images info inspect inspecti inspectp stats statsp imagefsinfo version',
        readsWith(
          '-aqvl -o= --all --quiet --latest --output= --name= --namespace= --state= --pod= --image= --no-trunc --label=',
        ),
      ),
      logs,
      ...each('rm rmi rmp stopp', removes),
      ...each('start stop create pull run runp update', runs),
    },
  }),
  ceph: tool({
    // With an option that shows; without any it reads commands.
    alone: (_, { words }) => (words.length > 1 ? READS : unclear('may read commands, and run them')),
    options: '-s --status',
    commands: {
      ...each('status health df', readsOptions()),
      osd: tool({ commands: each('tree df stat status', readsOptions()) }),
    },
  }),
  consul: tool({ commands: { members: readsWithWords('detailed') } }),
  vault: tool({ commands: { status: readsWith('') } }),
}

function readsOptions(): Check {
  return readsWith('-f= --format=', { like: /^detail$/ })
}
