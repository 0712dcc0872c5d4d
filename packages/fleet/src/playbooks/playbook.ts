import { CmdopError } from '@cmdop/protocol'
import { z } from 'zod'
import type { Execution } from '../run/execution.ts'
import { findTargets } from '../targets/find-targets.ts'
import type { Targets } from '../targets/targets.ts'
import { beginPlaybook, goOnWithPlaybook } from './begin-playbook.ts'
import { dryRunPlaybook } from './dry-run/dry-run.ts'
import type { PlaybookDryRun } from './dry-run/dry-run-report.ts'
import type { PlaybookClient } from './playbook-client.ts'
import type { PlaybookEvent, PlaybookReport } from './playbook-report.ts'
import { outlineOf } from './steps/outline.ts'
import type { Step } from './steps/step.ts'

/** What a playbook is made of. */
export interface PlaybookDefinition<Schema extends z.ZodType> {
  /** What it needs to be told. They are written down with the run: secrets do not belong there. Default: nothing. */
  readonly inputs?: Schema
  /** In order: a list, or a function that makes the same ones of the same inputs, which it is given as the schema has read them. */
  readonly steps: readonly Step[] | ((inputs: z.output<Schema>) => readonly Step[])
}

export interface PlaybookRunOptions<Inputs> {
  readonly on: Targets
  readonly inputs?: Inputs
  /** A UUID. The same run never runs twice. Default: a new one. */
  readonly runId?: string
  /** Where the playbook stands, for who goes on with it. */
  readonly file?: string
  /** Cancels: what runs is ended, and what has ended well is undone. */
  readonly signal?: AbortSignal
}

interface GoOnOptions {
  readonly signal?: AbortSignal
}

/** A playbook that is under way: awaited for its report, or iterated for its events. */
export type PlaybookExecution = Execution<PlaybookEvent, PlaybookReport>

/** Named steps over machines, in order; see `playbook`. */
export interface Playbook<Schema extends z.ZodType = z.ZodType> {
  readonly name: string
  readonly inputs: Schema
  /** The steps that it has with these inputs, as they are given. Throws `validation`. */
  readonly stepsFor: (inputs: unknown) => readonly Step[]
  /**
   * Runs it on these machines. Rejects with `validation` for inputs and steps that are wrong, `not_found` where no machine is meant,
   * `conflict` when another script goes on with it; how steps ended is in the report.
   */
  run(client: PlaybookClient, options: PlaybookRunOptions<z.input<Schema>>): PlaybookExecution
  /**
   * Goes on with a run whose script is gone: what has ended is not done again, what was under way is asked for. Rejects as `run`, with
   * `permission` for somebody else's, and with `conflict` where the playbook has other steps by now.
   */
  resume(client: PlaybookClient, runId: string, options?: GoOnOptions): PlaybookExecution
  /**
   * What it would do: commands, checks and copies are done on each machine in a view of it, of which nothing reaches the machine;
   * nobody is asked. Rejects with `validation` and `not_found` as `run` does.
   */
  dryRun(
    client: PlaybookClient,
    options: Omit<PlaybookRunOptions<z.input<Schema>>, 'runId' | 'file'>,
  ): Promise<PlaybookDryRun>
  /** Undoes what has ended well of a run that ended, or whose script is gone; nothing more of it begins. Rejects as `resume`. */
  undo(client: PlaybookClient, runId: string, options?: GoOnOptions): PlaybookExecution
}

/** Marks a playbook, also that of another copy of this package. */
const brand = Symbol.for('cmdop.playbook')

/** A playbook of named steps, each written down before and after. Throws `validation` for steps that are wrong. */
export function playbook<Schema extends z.ZodType = z.ZodObject>(
  name: string,
  definition: PlaybookDefinition<Schema>,
): Playbook<Schema> {
  if (!/^[\w.-]{1,64}$/.test(name))
    throw new CmdopError(
      'validation',
      `Expected the name of a playbook to be 1 to 64 letters, digits, _, - and ., got '${name}'.`,
    )
  const schema = (definition.inputs ?? z.object({})) as z.ZodType as Schema
  // Wrong steps are found when the file is read, where they do not depend on inputs.
  if (typeof definition.steps !== 'function') outlineOf(definition.steps)
  const stepsFor = (given: unknown) => {
    const inputs = parseInputs(name, schema, given)
    const steps = typeof definition.steps === 'function' ? definition.steps(inputs) : definition.steps
    outlineOf(steps)
    return steps
  }
  const book: Playbook<Schema> = {
    name,
    inputs: schema,
    stepsFor,
    run: (client, options) => beginPlaybook(client, book, options),
    dryRun: async (client, { on, inputs = {}, signal = new AbortController().signal }) => {
      const steps = stepsFor(inputs)
      const machines = await findTargets(on, { client, signal })
      return dryRunPlaybook({ client, name, steps, machines, signal })
    },
    resume: (client, runId, options) => goOnWithPlaybook(client, runId, { ...options, load: () => book }),
    undo: (client, runId, options) => goOnWithPlaybook(client, runId, { ...options, load: () => book, undo: true }),
  }
  return Object.assign(book, { [brand]: true })
}

/** Whether something is a playbook, such as what a file exports. */
export function isPlaybook(value: unknown): value is Playbook {
  return typeof value === 'object' && value !== null && brand in value
}

function parseInputs<Schema extends z.ZodType>(name: string, schema: Schema, given: unknown): z.output<Schema> {
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  throw new CmdopError(
    'validation',
    `The inputs of the playbook '${name}' are wrong.\n${z.prettifyError(parsed.error)}`,
  )
}
