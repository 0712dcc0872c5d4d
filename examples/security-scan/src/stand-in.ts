/** What the model does where no key is set: each step follows from what the tools have shown. */
import { type ScriptedCall, transcriptModel, type TranscriptWork } from '@cmdop/agent/testing'
import { Facts } from 'cmdop'
import { z } from 'zod'
import type { SecurityFinding, SecurityScan } from './security-scan.ts'

/** What scan.ts gives it as context. */
const Baseline = z.object({
  folder: z.string(),
  ports: z.array(z.number()),
  minimumVersions: z.record(z.string(), z.string()),
  systemPackages: z.boolean(),
})
type Baseline = z.infer<typeof Baseline>

const SeenPorts = Facts.pick({ hostname: true, ports: true })

export const standIn = transcriptModel(function* ({ context }): TranscriptWork<SecurityScan> {
  const baseline = Baseline.parse(context)
  const { data } = yield { tool: 'facts', input: { parts: ['ports'], limit: 1000 } }
  const { hostname, ports } = SeenPorts.parse(JSON.parse(data))
  const findings = [
    ...openPorts(ports, baseline),
    ...(yield* permissions(baseline)),
    ...(yield* nodePackages(baseline)),
    ...(baseline.systemPackages ? yield* systemPackages() : []),
  ]
  const risks = ['critical', 'high', 'medium', 'low'] as const
  const overall = risks.find((risk) => findings.some(({ severity }) => severity === risk)) ?? 'none'
  return { hostname, findings, overall_risk: overall }
})

const read = (command: string): ScriptedCall => ({ tool: 'run_command', input: { command, readOnly: true } })

function* permissions({ folder }: Baseline): TranscriptWork<SecurityFinding[]> {
  const { data } = yield read(`find ${folder} -type f -printf '%m %p\\n'`)
  return data.split('\n').flatMap((line) => {
    const [, octal = '', path = ''] = /^(\d+) (.+)$/.exec(line) ?? []
    const mode = Number.parseInt(octal, 8)
    const file = (severity: SecurityFinding['severity'], what: string, recommendation: string) => [
      finding({
        severity,
        category: 'permissions',
        file_path: path,
        description: `${what} (${octal}).`,
        recommendation,
      }),
    ]
    if (/\.(env|key|pem)$/.test(path) && (mode & 0o077) !== 0)
      return file('critical', 'Others can use this secret', `Run: chmod 600 ${path}`)
    if ((mode & 0o002) !== 0) return file('high', 'Everybody can write this file', `Run: chmod o-w ${path}`)
    if ((mode & 0o6000) !== 0) return file('high', 'It runs with the rights of its owner', `Run: chmod ug-s ${path}`)
    return []
  })
}

function openPorts(ports: Facts['ports'], { ports: allowed }: Baseline): SecurityFinding[] {
  const open = (ports ?? []).filter(({ address }) => !/^(127\.|::1$|\[?::ffff:127\.)/.test(address))
  const numbers = new Set(open.filter(({ protocol }) => protocol === 'tcp').map(({ port }) => port))
  return Array.from(numbers)
    .filter((port) => !allowed.includes(port))
    .map((port) =>
      finding({
        severity: 'high',
        category: 'open-port',
        port,
        description: `Other machines can reach port ${port}.`,
        recommendation: 'Bind it to 127.0.0.1, or close it.',
      }),
    )
}

function* nodePackages({ folder, minimumVersions }: Baseline): TranscriptWork<SecurityFinding[]> {
  const { data } = yield read(`grep -r --include=package.json '"version"' ${folder}/node_modules`)
  return Array.from(data.matchAll(/node_modules\/([^\n:]+)\/package\.json:\s*"version": "([^"]+)"/g)).flatMap(
    ([, name = '', version = '']) => {
      const minimum = minimumVersions[name]
      if (minimum === undefined || version.localeCompare(minimum, 'en', { numeric: true }) >= 0) return []
      return [outdated(name, 'high', `${name} ${version} is older than ${minimum}.`)]
    },
  )
}

function* systemPackages(): TranscriptWork<SecurityFinding[]> {
  const { data } = yield read('apt list --upgradable 2>/dev/null | head -n 40')
  return Array.from(data.matchAll(/^([^/\s]+)\/(\S+) (\S+) .*upgradable from: ([^\]]+)\]/gm)).map(
    ([, name = '', suite = '', newer = '', version = '']) =>
      outdated(name, suite.includes('-security') ? 'medium' : 'low', `${name} ${version} is older than ${newer}.`),
  )
}

function outdated(name: string, severity: SecurityFinding['severity'], description: string): SecurityFinding {
  const recommendation = `Upgrade ${name}.`
  return finding({ severity, category: 'outdated-package', package: name, description, recommendation })
}

function finding(
  given: Partial<SecurityFinding> & Pick<SecurityFinding, 'severity' | 'category' | 'description' | 'recommendation'>,
): SecurityFinding {
  return { file_path: null, port: null, package: null, ...given }
}
