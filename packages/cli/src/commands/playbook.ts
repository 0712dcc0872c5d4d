import { resolve } from 'node:path'
import { goOnWithPlaybook, type PlaybookExecution, type PlaybookReport } from '@cmdop/fleet'
import { CmdopError } from '@cmdop/protocol'
import { Client } from '../client.ts'
import { exitCodes } from '../exit-codes.ts'
import { followPlaybook } from '../playbooks/follow-playbook.ts'
import { loadPlaybook } from '../playbooks/load-playbook.ts'
import { parseInputs } from '../playbooks/parse-inputs.ts'
import { renderDryRun, renderPlaybook } from '../playbooks/render-playbook.ts'
import { isStdoutTerminal, printable, say, writeJson, writeStdout } from '../terminal.ts'

interface Cancellable {
  signal: AbortSignal
}

export interface PlaybookRunFlags {
  on: string
  input?: string[]
  dryRun?: boolean
  runId?: string
  json?: boolean
}

export interface PlaybookGoOnFlags {
  file?: string
  json?: boolean
}

/** `cmdop playbook run <file> --on <selector>` */
export async function playbookRunCommand(
  path: string,
  { signal, json = false, ...flags }: PlaybookRunFlags & Cancellable,
): Promise<number> {
  const book = await loadPlaybook(path)
  const { on, runId } = flags
  const options = { on, inputs: parseInputs(book, flags.input), signal }
  await using client = new Client()
  if (flags.dryRun !== true)
    return await finish(
      book.run(client, { ...options, file: resolve(path), ...(runId === undefined ? {} : { runId }) }),
      json,
    )
  const dry = await book.dryRun(client, options)
  if (json) await writeJson(dry)
  else await write(renderDryRun(dry))
  return dry.steps.some(({ rows }) => rows.some(({ grade }) => grade === 'failed' || grade === 'unsupported'))
    ? exitCodes.failed
    : exitCodes.ok
}

/** `cmdop playbook resume <run>`, and `undo <run>` */
export async function playbookGoOnCommand(
  runId: string,
  { signal, json = false, file: given, undo }: PlaybookGoOnFlags & { undo: boolean } & Cancellable,
): Promise<number> {
  // A file that cannot be loaded is found before the run is taken from the script that may be at it.
  const book = given === undefined ? undefined : await loadPlaybook(given)
  await using client = new Client()
  const load = ({ playbook, file }: { playbook: string; file: string | undefined }) => {
    if (book !== undefined) return book
    if (file !== undefined) return loadPlaybook(file)
    throw new CmdopError('config', `It is not known where the playbook '${playbook}' stands; give it as --file.`)
  }
  return await finish(goOnWithPlaybook(client, runId, { load, undo, signal }), json)
}

async function finish(run: PlaybookExecution, json: boolean): Promise<number> {
  await say(`run ${run.runId}`)
  const report = await followPlaybook(run, { isTerminal: process.stderr.isTTY })
  if (json) await writeJson(report)
  else await write(renderPlaybook(report))
  return exitCodeOf(report)
}

async function write(text: string): Promise<void> {
  await writeStdout(isStdoutTerminal() ? printable(text) : text)
}

/** 0 when every step is ok, 3 when it was refused, 130 when it was cancelled, else 1. */
function exitCodeOf({ outcome }: PlaybookReport): number {
  if (outcome === 'ok') return exitCodes.ok
  if (outcome === 'denied') return exitCodes.denied
  return outcome === 'cancelled' ? exitCodes.cancelled : exitCodes.failed
}
