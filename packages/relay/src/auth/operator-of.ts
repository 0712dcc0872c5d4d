import type { Caller } from './authenticate.ts'

/** An AI operator that acts for a caller: it can do no more, and no one takes it for a person. */
export function operatorOf(caller: Caller): Caller {
  const { principal } = caller
  if (principal.kind === 'ai') return caller
  const name = `${principal.name.slice(0, 100)} (operator)`
  const actsForId = principal.actsForId ?? principal.id
  return { ...caller, kind: 'ai', principal: { ...principal, kind: 'ai', name, actsForId } }
}
