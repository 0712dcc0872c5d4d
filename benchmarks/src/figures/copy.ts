import { mkdir, rm, stat } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { RemoteMachine } from '@cmdop/core'
import { type Figure, type Measurement, notMeasured, type Row } from '../figure.ts'
import { missingPackages } from '../peers/programs.ts'
import { runProgram } from '../peers/run.ts'
import { type OpenSsh, startOpenSsh } from '../peers/sshd.ts'
import { asRatio, medianOf, timed } from '../statistics.ts'
import { temporaryFolder } from '../temporary-folder.ts'
import { startWorld } from '../world.ts'

const BYTES = 1_000_000_000

const ROUNDS = 5
const WARM_UP_ROUNDS = 1
const PEERS = ['ssh', 'ssh-keygen', 'sshd', 'scp'] as const

/** Memory as a disk, so that what is measured is the copy; a folder of the system where there is none. */
const MEMORY_FOLDER = '/dev/shm'

/** One file of 1 GB to the machine and back. */
export const copyFigure: Figure = {
  id: 'copy',
  title: '1 GB to a machine and back',
  async measure(progress) {
    await using opened = new AsyncDisposableStack()
    const inMemory = existsSync(MEMORY_FOLDER)
    const folder = opened.use(await temporaryFolder(inMemory ? MEMORY_FOLDER : undefined)).path
    const source = join(folder, 'source')
    await runProgram('/bin/sh', ['-c', `head -c ${BYTES} /dev/urandom > "$0"`, source])
    const { machine } = opened.use(await startWorld())
    const missing = missingPackages(PEERS)
    const ssh = missing.length > 0 ? undefined : opened.use(await startOpenSsh())
    return report(await measureRounds({ machine, ssh, folder, source }, progress), { missing, inMemory })
  },
}

type Way = 'upload' | 'download'
type Who = 'ours' | 'jumped' | 'direct'
type Times = Record<`${Who} ${Way}`, number[]>

interface Parts {
  readonly machine: RemoteMachine
  readonly ssh: OpenSsh | undefined
  readonly folder: string
  readonly source: string
}

async function measureRounds(parts: Parts, progress: (message: string) => void): Promise<Times> {
  const actions = actionsOf(parts)
  const times = Object.fromEntries(Object.keys(actions).map((name) => [name, []])) as unknown as Times
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
    progress(round < 0 ? 'warming up' : `round ${round} of ${ROUNDS}`)
    for (const [name, action] of Object.entries(actions)) {
      const target = join(parts.folder, 'target')
      await mkdir(target)
      const milliseconds = await timed(() => action(join(target, 'file')))
      const { size } = await stat(join(target, 'file'))
      if (size !== BYTES) throw new Error(`Expected ${BYTES} bytes, ${name} wrote ${size}.`)
      await rm(target, { recursive: true })
      if (round >= 0) times[name as keyof Times].push(milliseconds)
    }
  }
  return times
}

function actionsOf({
  machine,
  ssh,
  source,
}: Parts): Partial<Record<keyof Times, (target: string) => Promise<unknown>>> {
  const ours = {
    'ours upload': (target: string) => machine.files.upload(source, target),
    'ours download': (target: string) => machine.files.download(source, target),
  }
  if (ssh === undefined) return ours
  return {
    'ours upload': ours['ours upload'],
    'jumped upload': (target) => runProgram(ssh.scp, [...ssh.copyJumped, source, `target:${target}`]),
    'direct upload': (target) => runProgram(ssh.scp, [...ssh.copyDirect, source, `target:${target}`]),
    'ours download': ours['ours download'],
    'jumped download': (target) => runProgram(ssh.scp, [...ssh.copyJumped, `target:${source}`, target]),
    'direct download': (target) => runProgram(ssh.scp, [...ssh.copyDirect, `target:${source}`, target]),
  }
}

function report(times: Times, { missing, inMemory }: { missing: readonly string[]; inMemory: boolean }): Measurement {
  return {
    rows: (['upload', 'download'] as const).flatMap((way) => [
      compare(times, `jumped ${way}`, `${way} against scp -J`),
      compare(times, `direct ${way}`, `${way} against scp`),
    ]),
    missing,
    notes: [
      `Medians of ${ROUNDS} alternating rounds, after ${WARM_UP_ROUNDS} to warm up; one file of ${BYTES} random bytes.`,
      inMemory
        ? `Source and target are in memory (${MEMORY_FOLDER}) for all: the disk is not measured.`
        : 'Source and target are on the disk of the system for all.',
      'ours: `machine.files.upload` and `download`: machine, relay and client, two hops; SHA-256 on both sides, the file synchronised and renamed into place by the machine.',
      'scp -J: one jump host, two sshd on loopback, as a person gives it, with its handshakes; scp: the same without the jump host. Neither hashes, synchronises or renames.',
      'ssh encrypts; on loopback the relay does not.',
    ],
  }
}

function compare(times: Times, peer: keyof Times, what: string): Row {
  const isBound = peer.startsWith('jumped')
  const bound = isBound ? 'not slower' : ''
  const ours = times[`ours ${peer.endsWith('upload') ? 'upload' : 'download'}`]
  if ((times[peer] ?? []).length === 0) return notMeasured(what, bound, 'OpenSSH is missing')
  const [mine, theirs] = [medianOf(ours), medianOf(times[peer])]
  return {
    what,
    ours: speed(mine),
    peer: `scp: ${speed(theirs)}`,
    ratio: asRatio(theirs / mine),
    bound,
    met: isBound ? mine <= theirs : undefined,
  }
}

function speed(milliseconds: number): string {
  return `${(BYTES / 1000 / milliseconds).toFixed(0)} MB/s`
}
