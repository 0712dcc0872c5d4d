import { Client, readSkillFolder } from '@cmdop/core'
import {
  CmdopError,
  isCmdopError,
  readSkill,
  SKILL_FILE,
  SkillCreated,
  SkillIssue,
  SkillPublished,
  SkillPublishStatus,
  SkillReview,
  SkillStar,
  SkillUpdated,
} from '@cmdop/protocol'
import { z } from 'zod'
import { exitCodes } from '../exit-codes.ts'
import { parseDuration } from '../numbers.ts'
import { writeResource } from '../resource-json.ts'
import { type RestrictionFlags, restrictionsOf } from '../restriction-options.ts'
import { say, writeJson, writeStdout } from '../terminal.ts'
import type { SkillFlags } from './skills.ts'

/** `cmdop skills create <name>`. */
export async function createSkillCommand(name: string, { json, signal }: SkillFlags): Promise<number> {
  await using client = new Client()
  const created = await client.skills.create(name, { signal })
  if (json === true) await writeResource(SkillCreated, created)
  else await say(`${created.slug} is made; publish a version of it with: cmdop skills publish <folder>`)
  return exitCodes.ok
}

/** What `cmdop skills update` takes; `none` takes something away. */
export interface SkillUpdateFlags extends SkillFlags {
  name?: string
  category?: string
  visibility?: string
  status?: string
  icon?: string
  cover?: string
  repository?: string
}

/** `cmdop skills update <slug>`. */
export async function updateSkillCommand(slug: string, { json, signal, ...flags }: SkillUpdateFlags): Promise<number> {
  await using client = new Client()
  const { name, visibility, status, repository, ...rest } = flags
  const removable = { ...rest, ...(repository === undefined ? {} : { repositoryUrl: repository }) }
  const change = {
    ...(name === undefined ? {} : { name }),
    ...(visibility === undefined ? {} : { visibility }),
    ...(status === undefined ? {} : { status }),
    ...Object.fromEntries(Object.entries(removable).map(([key, value]) => [key, value === 'none' ? null : value])),
  }
  // What is no category, visibility or status is said by the relay.
  const updated = await client.skills.update(slug, change as Parameters<typeof client.skills.update>[1], { signal })
  if (json === true) await writeResource(SkillUpdated, updated)
  else
    await say(
      `${slug}: ${updated.name}, ${updated.visibility}, ${updated.status}, category ${updated.category ?? 'none'}`,
    )
  return exitCodes.ok
}

/** `cmdop skills delete <slug>`. */
export async function deleteSkillCommand(slug: string, { json, signal }: SkillFlags): Promise<number> {
  await using client = new Client()
  await client.skills.delete(slug, { signal })
  if (json === true) await writeJson({ slug })
  else await say(`${slug} is deleted; what was installed of it stays`)
  return exitCodes.ok
}

/** What `cmdop skills publish` takes. */
export interface SkillPublishFlags extends SkillFlags {
  changelog?: string
  create?: boolean
}

/** `cmdop skills publish <folder>`: the version that its `SKILL.md` names. */
export async function publishSkillCommand(folder: string, flags: SkillPublishFlags): Promise<number> {
  const { changelog, json, signal } = flags
  const files = await readSkillFolder(folder)
  const text = files.find(({ path }) => path === SKILL_FILE)?.content
  if (text === undefined) throw new CmdopError('validation', `There is no ${SKILL_FILE} in ${folder}.`)
  await using client = new Client()
  try {
    const { name } = readSkill(text).manifest
    if (flags.create === true) await client.skills.create(name, { signal }).catch(unlessThere)
    const published = await client.skills
      .publish(name, { files, ...(changelog === undefined ? {} : { changelog }) }, { signal })
      .catch(toCreateFirst)
    if (json === true) await writeResource(SkillPublished, published)
    else await say(`${name} ${published.version} is published; its digest is ${published.sha256}`)
  } catch (error) {
    if (json !== true && error instanceof CmdopError)
      for (const line of issueLines(error.details['issues'])) await say(line)
    throw error
  }
  return exitCodes.ok
}

/** `cmdop skills publish-status <slug>`: how the last publication went. Exit code 1 when it failed. */
export async function publishStatusCommand(slug: string, { json, signal }: SkillFlags): Promise<number> {
  await using client = new Client()
  const status = await client.skills.publishStatus(slug, { signal })
  if (json === true) await writeResource(SkillPublishStatus, status)
  else {
    const what = status.version === null ? '' : ` ${status.version}`
    await writeStdout(`${[`${status.status}${what}`, ...issueLines(status.errors)].join('\n')}\n`)
  }
  return status.status === 'failed' ? exitCodes.failed : exitCodes.ok
}

/** `cmdop skills star <slug>`: stars it, or takes the star back. */
export async function starSkillCommand(slug: string, { json, signal }: SkillFlags): Promise<number> {
  await using client = new Client()
  const star = await client.skills.star(slug, { signal })
  if (json === true) await writeResource(SkillStar, star)
  else await say(`${slug} ${star.starred ? 'has your star' : 'has not your star any more'}; it has ${star.starCount}`)
  return exitCodes.ok
}

/** `cmdop skills review <slug> <text>`. */
export async function reviewSkillCommand(slug: string, body: string, { json, signal }: SkillFlags): Promise<number> {
  await using client = new Client()
  const review = await client.skills.review(slug, body, { signal })
  if (json === true) await writeResource(SkillReview, review)
  else await say(`your review of ${slug} is there`)
  return exitCodes.ok
}

/** What `cmdop skills run` takes. */
export interface SkillRunFlags extends SkillFlags, RestrictionFlags {
  machine: string
  env?: string[]
  deadline?: string
}

/** `cmdop skills run <slug> <tool> [input]`: prints the output of the tool as JSON. */
export async function runSkillCommand(
  [slug, tool, input]: readonly [slug: string, tool: string, input: string | undefined],
  { machine, env, deadline, json, signal, ...flags }: SkillRunFlags,
): Promise<number> {
  const given = Input.safeParse(parsed(input ?? '{}'))
  if (!given.success)
    throw new CmdopError('validation', 'Expected the input to be one JSON object, such as {"paths":["/"]}.')
  await using client = new Client()
  const restrictions = restrictionsOf(flags)
  const run = await client.skills.run(slug, tool, given.data, {
    machine,
    signal,
    ...(env === undefined ? {} : { env: Object.fromEntries(env.map(variable)) }),
    ...(deadline === undefined ? {} : { deadlineMs: parseDuration(deadline) }),
    ...(restrictions === undefined ? {} : { restrictions }),
  })
  const { effect } = run
  if (effect?.state === 'pending')
    await say(`what it would change waits: cmdop effects show ${machine} ${effect.effectId}`)
  if (json === true)
    await writeJson({ output: run.output, stderr: run.stderr, duration_ms: run.durationMs, effect: effect ?? null })
  else await writeJson(run.output)
  return exitCodes.ok
}

const Input = z.record(z.string(), z.unknown())

function variable(text: string): [string, string] {
  const at = text.indexOf('=')
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
  throw new CmdopError('config', `Expected --env to be name=value, got "${text}".`)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function issueLines(issues: unknown): string[] {
  const known = z.array(SkillIssue).safeParse(issues)
  return known.success
    ? known.data.map(({ path, line, message }) => `${path}${line === undefined ? '' : `:${line}`}: ${message}`)
    : []
}

function unlessThere(error: unknown): void {
  if (!(error instanceof CmdopError) || error.code !== 'conflict') throw error
}

/** A skill that is not there is made by an option; the relay knows of none. */
function toCreateFirst(cause: unknown): never {
  if (!isCmdopError(cause) || cause.code !== 'not_found') throw cause
  throw new CmdopError('not_found', `${cause.message} To make it first: --create.`, { cause })
}
