import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { fileURLToPath } from 'node:url'
import { findProgram } from './peers/programs.ts'

const PACKAGES = ['protocol', 'core', 'agent', 'policy', 'relay', 'sandbox', 'machine', 'cli'] as const

/** Where and on what a figure was measured. */
export interface Versions {
  readonly date: string
  readonly commit: string
  readonly machine: string
  readonly software: string
}

/** Reads everything that a reader needs to judge a figure. */
export function readVersions(): Versions {
  const [first] = cpus()
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' ') + ' UTC',
    commit: readCommit(),
    machine: `${first?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, ${memory}, ${type()} ${release()}`,
    software: [`node ${process.versions.node}`, readSshVersion(), ...PACKAGES.map(packageVersion)].join(', '),
  }
}

function readCommit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: root(), encoding: 'utf8' }).trim()
  try {
    return git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain') === '' ? '' : ' and changes after it')
  } catch {
    return 'unknown'
  }
}

function readSshVersion(): string {
  const ssh = findProgram('ssh')
  if (ssh === undefined) return 'no ssh'
  return spawnSync(ssh, ['-V'], { encoding: 'utf8' }).stderr.trim()
}

function packageVersion(folder: string): string {
  const file = readFileSync(`${root()}packages/${folder}/package.json`, 'utf8')
  const { name, version } = JSON.parse(file) as { name: string; version: string }
  return `${name} ${version}`
}

function root(): string {
  return fileURLToPath(new URL('../../', import.meta.url))
}
