import { CmdopError, type FleetRunKind, type OutcomeName } from '@cmdop/protocol'
import type { FleetClient } from '../fleet-client.ts'
import { assertSameCheck } from '../ledger/run-plan.ts'
import { FleetExecution } from '../run/fleet-execution.ts'
import type { FleetOptions } from '../run/fleet-options.ts'
import { goOnWith } from './go-on-with.ts'
import type { FleetKind } from './kind.ts'
import { type AnyResult, type FleetResumeOptions, kindNamed } from './kinds.ts'

/** Goes on with a run of any kind: with what is not done, or, with `retry`, with machines of these outcomes alone. */
export function goOnWithRun(
  client: FleetClient,
  runId: string,
  given: FleetResumeOptions & { readonly retry: readonly OutcomeName[] | undefined },
): FleetExecution<AnyResult> {
  return goOnAs(client, runId, kindNamed, given)
}

/** What is given to go on with a run, whatever its kind is. */
interface GoingOn<Result> {
  readonly retry: readonly OutcomeName[] | undefined
  readonly check?: FleetOptions<Result>['check'] | undefined
  readonly signal?: AbortSignal | undefined
}

/** The same with a run of a kind that the caller knows. */
export function goOnAs<Result, Given>(
  client: FleetClient,
  runId: string,
  kindOf: (name: FleetRunKind) => FleetKind<Result, Given>,
  { retry, ...given }: Given & GoingOn<Result>,
): FleetExecution<Result> {
  return new FleetExecution<Result>(
    runId,
    async (emit, signal) => {
      // First whether it can be gone on with so: to claim it stops the script that is at it.
      const { kind, plan } = await client.fleetRuns.get(runId, { signal })
      const known = kindOf(kind)
      if (plan === null) throw ofAnother()
      const opened = await known.open(plan, given as Given)
      assertSameCheck(opened.plan, given.check)
      return goOnWith(client, runId, { opened, retry, check: given.check, emit, signal })
    },
    given.signal,
  )
}

function ofAnother(): CmdopError {
  return new CmdopError('permission', 'The fleet run is of another principal; only that one goes on with it.')
}
