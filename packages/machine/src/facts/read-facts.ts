import { arch, hostname, platform, release, type as systemName, uptime } from 'node:os'
import type { Facts } from '@cmdop/protocol'
import { readContainers } from './containers.ts'
import { countCores, readCpuModel, readCpuUsage } from './cpu.ts'
import { readDisks } from './disks.ts'
import type { FactsSource } from './facts-source.ts'
import { readLoad } from './load.ts'
import { readMemory } from './memory.ts'
import { readDistribution } from './operating-system.ts'
import { readPorts } from './ports.ts'
import { readProcesses } from './processes.ts'
import { readServices } from './services.ts'
import { withTimeLimit } from './time-limit.ts'

/** What {@link readFacts} can be told. */
export interface ReadFactsOptions {
  signal?: AbortSignal | undefined
  /** Where the kernel's files are on Linux. Default: `/proc`. */
  procRoot?: string
  /** How long each part may take, in milliseconds. Default: 5000. */
  partLimitMs?: number
}

/**
 * What this machine says of itself now. Every part is read at the same time and on its own: one that fails or takes too
 * long is null and has its reason in `unavailable`. Rejects only with the reason of an aborted signal.
 */
export async function readFacts(options: ReadFactsOptions = {}): Promise<Facts> {
  options.signal?.throwIfAborted()
  const { attempt, unavailable } = createAttempts(options)
  const ports = attempt('ports', readPorts)
  const [distribution, model, usedPercent, ...rest] = await Promise.all([
    attempt('os.distribution', (source) => readDistribution(source.platform)),
    attempt('cpu.model', readCpuModel),
    attempt('cpu.usedPercent', readCpuUsage),
    attempt('uptimeSeconds', async () => uptime()),
    attempt('load', readLoad),
    attempt('memory', readMemory),
    attempt('disks', readDisks),
    attempt('services', (source) => readServices(source, ports)),
    ports,
    attempt('containers', readContainers),
    attempt('processes', readProcesses),
  ])
  const [uptimeSeconds, load, memory, disks, services, listening, containers, processes] = rest
  return {
    collectedAt: new Date().toISOString(),
    hostname: hostname(),
    os: {
      platform: platform(),
      ...(distribution ?? { distribution: systemName(), release: '' }),
      kernel: release(),
      architecture: arch(),
    },
    uptimeSeconds,
    cpu: { model: model ?? 'unknown', cores: countCores(), usedPercent },
    load,
    memory,
    disks,
    services,
    ports: listening,
    containers,
    processes,
    unavailable: unavailable.toSorted((left, right) => left.fact.localeCompare(right.fact)),
  }
}

/** A program's whole error output may be part of the reason. */
const maxReasonLength = 300

type Attempt = <T>(fact: string, read: (source: FactsSource) => Promise<T>) => Promise<T | null>

/** Runs the reading of parts within their time, and collects why some could not be read. */
function createAttempts({ signal, procRoot = '/proc', partLimitMs = 5_000 }: ReadFactsOptions) {
  const unavailable: Facts['unavailable'] = []
  const report = (fact: string, error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error)
    unavailable.push({ fact, reason: reason.trim().slice(0, maxReasonLength) })
  }
  const attempt: Attempt = async (fact, read) => {
    try {
      return await withTimeLimit((partSignal) => read({ platform: platform(), procRoot, signal: partSignal, report }), {
        limitMs: partLimitMs,
        signal,
      })
    } catch (error) {
      signal?.throwIfAborted()
      report(fact, error)
      return null
    }
  }
  return { attempt, unavailable }
}
