import { CARRY_PREFIX } from '@cmdop/protocol'
import { checkAssignment } from '../classify/assignments.ts'
import { type Verdict, READS, unclear, worst } from '../classify/command-class.ts'
import type { PolicyCall } from './call.ts'

/** What an operator's run carries from one command to the next: the text that {@link CARRY_PREFIX} runs, and where its variables are. */
const CARRY = 'CMDOP_CARRY'
const CARRY_FILE = 'CMDOP_CARRY_FILE'

/** Names of variables that are put into it, with the number that tells the run. */
const NAMES = String.raw`(?:[A-Za-z_]\w*(?: |(?=;)))+`
const LOAD = String.raw`__cmdop_file=\$CMDOP_CARRY_FILE; unset CMDOP_CARRY CMDOP_CARRY_FILE; \[ -f "\$__cmdop_file" \] && \. "\$__cmdop_file"`
const EXPORTED = String.raw`\$\(unset ${NAMES}; export -p\)`
const AT_EXIT = [
  String.raw`\{ set \+x; \} 2>/dev/null`,
  `__cmdop_now=${EXPORTED}`,
  '__cmdop_wrote=0',
  String.raw`if \[ "\$__cmdop_now" != "\$__cmdop_env" \]; then \(umask 077; printf "%s\\n" "\$__cmdop_now" >"\$__cmdop_file"\) 2>/dev/null && __cmdop_wrote=1; fi`,
  String.raw`if \[ "\$PWD\$__cmdop_wrote" != "\$__cmdop_start"0 \]; then printf "\\033\]5379;[0-9a-f]{24};%s;%s\\007" "\$__cmdop_wrote" "\$PWD" >&2; fi`,
].join('; ')
const CARRIED = new RegExp(`^${LOAD}(?:; :|; __cmdop_env=${EXPORTED}; __cmdop_start=\\$PWD; trap '${AT_EXIT}' EXIT)$`)

/** Whether the variables of a call change what its command is. What an operator carries over is only taken as it is written by ours. */
export function classifyEnvironment({ command, env = {} }: PolicyCall): Verdict {
  const verdicts: Verdict[] = []
  for (const [name, value] of Object.entries(env)) {
    if (name === CARRY || name === CARRY_FILE) continue
    verdicts.push(value === null ? READS : checkAssignment({ name, value }, true))
  }
  const isCarried = typeof command === 'string' && command.startsWith(CARRY_PREFIX)
  const [carry, file] = [env[CARRY], env[CARRY_FILE]]
  if (isCarried && typeof carry === 'string' && (!CARRIED.test(carry) || !isCarryFile(file)))
    verdicts.push(unclear(`runs what is in ${CARRY}, which is not what an operator carries over`))
  return worst(verdicts)
}

function isCarryFile(path: string | null | undefined): boolean {
  return typeof path === 'string' && /^\/(?:[^/]+\/)*cmdop-run-[0-9a-f]{24}$/.test(path)
}
