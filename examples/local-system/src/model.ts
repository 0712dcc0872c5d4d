import type { AgentDefaults } from 'cmdop'

/**
 * The model that the environment configures (`ANTHROPIC_API_KEY`, `OPENAI_API_KEY`, `CMDOP_MODEL_BASE_URL`, `CMDOP_MODEL`), or
 * the stand-in where it configures none, so that a story needs no key.
 */
export function modelOr(standIn: NonNullable<AgentDefaults['model']>): AgentDefaults {
  const isConfigured = ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'CMDOP_MODEL_BASE_URL', 'CMDOP_MODEL'].some(
    (name) => (process.env[name] ?? '') !== '',
  )
  return isConfigured ? {} : { model: standIn }
}
