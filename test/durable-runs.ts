import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type Child, startChild } from './processes/child.ts'
import { waitFor } from './wait-for.ts'
import type { World } from './world.ts'

/** What is killed. */
export type Victim = 'script' | 'relay' | 'machine'

/** Entries of a run of so many commands: its start, four for each command and its step, the last step, and its end. */
export function boundariesOf(commands: number): number {
  return 1 + 4 * commands + 2 + 1
}

/** What a script says of its run's end. */
interface End {
  readonly output?: string
  readonly code?: string
  readonly outcomes?: readonly string[]
}

type Said = End & { readonly runId?: string; readonly boundary?: number }

/**
 * `held`: nothing happens beyond the entry until the victim is dead. `going`: the run goes on meanwhile; a command that was
 * announced is killed in its middle.
 */
export type Moment = 'held' | 'going'

/** Reasons for which a run stops and can be resumed. */
const passing = ['connection', 'unavailable', 'timeout', 'slow_peer']

/** What is killed, and when. */
export interface Kill {
  readonly victim: Victim
  readonly boundary: number
  readonly moment: Moment
  readonly commands: number
  /** Whether each entry is waited for, also where a run would not. Default true. */
  readonly waits?: boolean
}

/**
 * Kills one of the three, once a run of commands has written so many entries, and goes on until the run is over. Each
 * command was executed once and the output is that of a run without a kill, or the run says `unknown`, or `lost`, of the one
 * that was in flight.
 */
export async function killAtBoundary(world: World, options: Kill): Promise<'completed' | 'unknown'> {
  const { victim, boundary, moment, waits = true } = options
  const folder = await world.folder()
  const [file, release] = [join(folder, 'done'), join(folder, 'release')]
  const pause = moment === 'going' ? 'sleep 0.3; ' : ''
  await writeFile(file, '')
  const commands = Array.from(
    { length: options.commands },
    (_, index) => `${index === 2 ? 'cd /usr && ' : ''}echo ${index} >>${file} && ${pause}echo "said ${index} in $PWD"`,
  )
  // Commands begin in the home directory of whoever runs the test.
  const expected = commands.map((_, index) => `said ${index} in ${index < 2 ? '~' : '/usr'}`).join(', ')
  const { url: baseUrl, firstKey: token } = world.relay
  const start = (more: object) =>
    startChild<string>('./durable-run-process.ts', {
      baseUrl,
      token,
      machineId: world.machine.id,
      commands,
      waits,
      ...more,
    })

  let script = await start({ boundary, ...(moment === 'held' ? { release } : {}) })
  const { runId } = await until(script, (said) => said.boundary !== undefined)
  const announced = (boundary - 3) / 4
  if (moment === 'going' && Number.isInteger(announced) && announced < options.commands)
    await whenLines(file, announced + 1)
  if (victim === 'script') await script.end('SIGKILL')
  else {
    await world[victim].kill()
    await world[victim].restart()
    await world.whenOnline(world.machine)
    await writeFile(release, '')
  }
  let end = victim === 'script' ? undefined : await ended(script)
  for (let resumed = 0; end?.output === undefined && !isFinal(end); resumed += 1) {
    if (resumed === 20) throw new Error(`The run was resumed 20 times in vain: ${JSON.stringify(end)}.`)
    await script.end('SIGKILL')
    script = await start({ runId })
    end = await ended(script)
  }
  await script.end('SIGKILL')
  const executed = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
  if (end?.output === undefined) {
    // Nobody knows: the one in flight may have been executed, and was not executed again.
    expect(['unknown', 'lost']).toContain(end?.code)
    expect(['unknown', 'lost']).toContain(end?.outcomes?.at(-1))
    expect(end?.outcomes?.slice(0, -1).every((outcome) => outcome === 'done')).toBe(true)
    expect(new Set(executed).size).toBe(executed.length)
    return 'unknown'
  }
  expect(executed).toEqual(commands.map((_, index) => String(index)))
  expect(end.output.replaceAll(/ in \/(?!usr)[/\w]*/g, ' in ~')).toBe(expected)
  await rm(folder, { recursive: true, force: true })
  return 'completed'
}

function isFinal(end: End | undefined): boolean {
  return end?.code !== undefined && !passing.includes(end.code)
}

async function until(script: Child<string>, isIt: (said: Said) => boolean): Promise<Said> {
  for (;;) {
    const { done, value: line } = await script.lines.next()
    if (done === true) throw new Error(`The script ended: ${script.stderr}`)
    const said = JSON.parse(line) as Said
    if (isIt(said)) return said
    if (said.output !== undefined || said.code !== undefined) throw new Error(`The run ended before: ${line}`)
  }
}

function ended(script: Child<string>): Promise<Said> {
  return until(script, ({ output, code }) => output !== undefined || code !== undefined)
}

/** Waits until the file has so many lines. */
export async function whenLines(file: string, count: number): Promise<void> {
  await waitFor(`${file} has ${count} lines`, async () => {
    const text = await readFile(file, 'utf8').catch(() => '')
    return text.split('\n').length > count
  })
}
