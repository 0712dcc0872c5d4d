import { type PolicyRule, compilePolicy, decide } from '@cmdop/policy'
import type { Figure, Row } from '../figure.ts'
import { asRatio, distributionOf } from '../statistics.ts'

const RULES = 500
const ROUNDS = 20
const DECISIONS_PER_ROUND = 5000
const BOUND_MICROSECONDS = 50

/** What is decided on, as operators and people send it: short and long, reading, changing and deleting. */
const COMMANDS = [
  'uptime',
  'df -h / | tail -1',
  "ps aux --sort=-%mem | awk '{print $2, $4}' | head -15",
  'journalctl -u nginx --since "1 hour ago" --no-pager | grep -c ERROR',
  'kubectl get pods -n prod -o wide',
  'git log --oneline -10',
  'docker ps --format "{{.Names}}"',
  'for h in web-1 web-2; do ssh -o BatchMode=yes $h "df -h /"; done',
  "find /var/log -name '*.log' -size +100M -exec ls -lh {} \\;",
  'curl -fsS http://localhost:8080/health | jq .status',
  'sudo systemctl restart app-42',
  'cd /srv/app && git pull && npm ci && systemctl restart app',
  'rm -rf /srv/app/releases/20240101',
  "sh -c 'tar xf /tmp/release.tar.gz -C /srv/app'",
  'docker exec web sh -c "cat /etc/hosts"',
]

/** Deciding on a command: parsing it, looking at each part, and asking 500 rules. */
export const policyFigure: Figure = {
  id: 'policy',
  title: `A decision with ${RULES} rules`,
  async measure(progress) {
    const policy = compilePolicy({ fleet: { rules: rules() } })
    const patterns = regularExpressions()
    const ours: number[] = []
    const peer: number[] = []
    for (let round = -2; round < ROUNDS; round += 1) {
      progress(round < 0 ? 'warming up' : `round ${round} of ${ROUNDS}`)
      const kept = round < 0 ? undefined : { ours, peer }
      timeEach(
        kept?.ours,
        (command) => decide(policy, { tool: 'exec', principalKind: 'ai', command, cwd: '/srv/app' }).decision,
      )
      timeEach(kept?.peer, (command) => patterns.find((pattern) => pattern.test(command)))
      await Promise.resolve()
    }
    return { rows: rows(distributionOf(ours), distributionOf(peer)), notes: notes() }
  },
}

interface Percentiles {
  readonly p50: number
  readonly p99: number
}

function rows(ours: Percentiles, peer: Percentiles): Row[] {
  const row = (name: 'p50' | 'p99', bound: boolean): Row => ({
    what: name,
    ours: inMicroseconds(ours[name]),
    peer: `regular expressions: ${inMicroseconds(peer[name])}`,
    ratio: asRatio(peer[name] / ours[name]),
    bound: bound ? `at most ${BOUND_MICROSECONDS} µs` : '',
    met: bound ? ours[name] <= BOUND_MICROSECONDS : undefined,
  })
  return [row('p50', true), row('p99', false)]
}

function notes(): string[] {
  return [
    `${ROUNDS * DECISIONS_PER_ROUND} decisions of each, in ${ROUNDS} alternating rounds, over ${COMMANDS.length} commands in turn, after a warm-up; each is timed by itself.`,
    'ours: `decide(policy, call)`: the command is parsed anew each time, and nothing is remembered.',
    `peer: ${RULES} compiled regular expressions over the command as it is written, until the first one fits. It sees no quotes, wrappers or substitutions.`,
  ]
}

function timeEach(into: number[] | undefined, decideOn: (command: string) => unknown): void {
  for (let index = 0; index < DECISIONS_PER_ROUND; index += 1) {
    const command = COMMANDS[index % COMMANDS.length] ?? ''
    const started = process.hrtime.bigint()
    decideOn(command)
    into?.push(Number(process.hrtime.bigint() - started) / 1000)
  }
}

/** Mostly by program, as people write them; some by path, host and class. */
function rules(): PolicyRule[] {
  return Array.from({ length: RULES }, (_, index): PolicyRule => {
    if (index % 10 === 0)
      return {
        id: `paths-${index}`,
        decision: 'deny',
        class: ['delete'],
        paths: [`/srv/data-${index}/**`],
        match: [`rm /srv/data-${index}/x`],
        notMatch: [`ls /srv/data-${index}`],
      }
    if (index % 10 === 1)
      return {
        id: `hosts-${index}`,
        decision: 'ask',
        hosts: [`db-${index}.internal`],
        match: [`ssh db-${index}.internal uptime`],
        notMatch: ['uptime'],
      }
    const decision = index % 10 < 6 ? 'allow' : 'deny'
    return {
      id: `service-${index}`,
      decision,
      command: { name: 'systemctl', args: ['restart', `app-${index}`] },
      match: [`systemctl restart app-${index}`],
      notMatch: ['systemctl restart other'],
    }
  })
}

function regularExpressions(): RegExp[] {
  return Array.from({ length: RULES }, (_, index) =>
    index % 10 === 0
      ? new RegExp(String.raw`\brm\b.*\s/srv/data-${index}(?:/|\s|$)`)
      : new RegExp(String.raw`^(?:sudo\s+)?systemctl\s+restart\s+app-${index}x?$`),
  )
}

function inMicroseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} µs`
}
