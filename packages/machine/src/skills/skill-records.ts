import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CmdopError, SkillFileEntry, SkillManifest, SkillName } from '@cmdop/protocol'
import { z } from 'zod'
import { writeDurably } from '../exec/durable-file.ts'

/** What is known of an installed skill: kept apart from its files, in the folder of the daemon, which nothing restricted sees. */
export const SkillRecord = z.object({
  version: z.literal(1),
  manifest: SkillManifest,
  /** The body of its `SKILL.md`. */
  body: z.string(),
  sha256: z.string(),
  /** Name of the folder with its files, in the folder of the skill. */
  folder: z.string().regex(/^[0-9a-f]{16}-[0-9a-f]{8}$/),
  files: z.array(SkillFileEntry),
  installedAt: z.string(),
  installedBy: z.string(),
  installedFrom: z.string(),
})
export type SkillRecord = z.infer<typeof SkillRecord>

/** The records of the installed skills. */
export class SkillRecords {
  readonly #folder: string

  /** `folder`: made with the first record. */
  constructor(folder: string) {
    this.#folder = folder
  }

  /** Undefined for a skill that is not installed. Throws `integrity` for a record that cannot be read. */
  async get(name: string): Promise<SkillRecord | undefined> {
    const text = await readFile(this.#file(name), 'utf8').catch(unlessMissing)
    if (text === undefined) return undefined
    try {
      const record = SkillRecord.parse(JSON.parse(text))
      if (record.manifest.name === name) return record
    } catch {
      // Said below.
    }
    throw new CmdopError('integrity', `What is known of the skill ${name} cannot be read; install it again.`)
  }

  /** The names of the installed skills, in order. */
  async names(): Promise<string[]> {
    const files = (await readdir(this.#folder).catch(unlessMissing)) ?? []
    const names = files.filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -5))
    return names.filter((name) => SkillName.safeParse(name).success).toSorted()
  }

  /** From here on this is what is installed: all at once, and over a power cut. */
  async put(record: SkillRecord): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    await writeDurably(this.#file(record.manifest.name), JSON.stringify(record))
  }

  async remove(name: string): Promise<void> {
    await rm(this.#file(name), { force: true })
  }

  #file(name: string): string {
    return join(this.#folder, `${name}.json`)
  }
}

function unlessMissing(error: unknown): undefined {
  if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT') return undefined
  throw error
}
