import { CmdopError, isMethodName, isRestMethod, methods } from '@cmdop/protocol'
import type { Caller } from '../auth/authenticate.ts'
import { authorise } from '../auth/authorise.ts'
import type { MachineRow, Store } from '../store/store.ts'
import { machineTarget } from './audited.ts'

/** The machine, if who asks may call this on it. Throws `validation`, `permission`, `not_found`. */
export async function permittedCall(
  store: Store,
  caller: Caller,
  { machineId, method }: { readonly machineId: string; readonly method: string },
): Promise<MachineRow> {
  const machine = await store.machines.get(machineId)
  if (method !== 'tool' && (!isMethodName(method) || isRestMethod(method)))
    throw new CmdopError('validation', `Expected a method of machines or \`tool\`, got ${method}.`)
  const action = isMethodName(method) ? methods[method].action : 'approval.request'
  const decision = authorise(caller, action, await machineTarget(store, machineId))
  if (!decision.allowed || machine === undefined)
    throw new CmdopError(
      decision.allowed ? 'not_found' : decision.code,
      decision.allowed ? 'There is no such machine in your fleet.' : decision.reason,
    )
  return machine
}
