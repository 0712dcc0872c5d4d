import { createHash, randomBytes } from 'node:crypto'
import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  checkSkillFiles,
  CmdopError,
  type InstalledSkill,
  type InstalledSkillDetails,
  invalidSkill,
  type Permit,
  type SkillFile,
  skillDigestText,
  type SkillInstallParams,
  type SkillPlaced,
} from '@cmdop/protocol'
import { changedFiles, ownFolder, writeSkillFolder } from './skill-folder.ts'
import { ProgramVersions } from './program-versions.ts'
import { missingOf } from './skill-requirements.ts'
import { type SkillRecord, SkillRecords } from './skill-records.ts'

/** Skills that a machine has at most. */
const MAX_INSTALLED = 200

export interface SkillTableOptions {
  /** Where their files are: restricted commands read them, so it is not in the daemon's own folder. */
  readonly folder: string
  /** Where is kept what they have to be, in the daemon's own folder. */
  readonly records: string
  /** What commands start from on this machine. */
  readonly environment: Readonly<Record<string, string>>
}

/** The skills that are installed on this machine. */
export class SkillTable {
  readonly #options: SkillTableOptions
  readonly #records: SkillRecords
  /** One change after the other. */
  #changing: Promise<unknown> = Promise.resolve()

  constructor(options: SkillTableOptions) {
    this.#options = options
    this.#records = new SkillRecords(options.records)
  }

  /** What commands start from. */
  get environment(): Readonly<Record<string, string>> {
    return this.#options.environment
  }

  /** All of them, looked through. */
  async list(): Promise<InstalledSkill[]> {
    const names = await this.#records.names()
    // One that cannot be read says so when it is used, and keeps nobody from the others.
    const records = await Promise.all(names.map((name) => this.#records.get(name).catch(() => undefined)))
    const found: InstalledSkill[] = []
    const versions = new ProgramVersions(this.environment)
    for (const record of records)
      if (record !== undefined)
        found.push(await this.#view(record, await changedFiles(this.folderOf(record), record.files), versions))
    return found
  }

  /** One of them, with what it says. Throws `not_found`, and `integrity` where a file is not as it was installed. */
  async get(name: string): Promise<InstalledSkillDetails> {
    const record = await this.unchanged(name)
    const { manifest, body, files } = record
    const { author = null, model = null, run_check: runCheck = null } = manifest
    const tools = manifest.tools.map(({ timeout_seconds: timeoutSeconds, ...tool }) => ({ ...tool, timeoutSeconds }))
    return {
      ...(await this.#view(record, [])),
      folder: this.folderOf(record),
      author,
      model,
      runCheck,
      body,
      tools,
      files,
    }
  }

  /** What has to be of an installed skill, every file of which is as it was installed. Throws `not_found`, `integrity`. */
  async unchanged(name: string): Promise<SkillRecord> {
    const record = await this.#records.get(name)
    if (record === undefined)
      throw new CmdopError('not_found', `The skill ${name} is not installed on this machine; see cmdop skills install.`)
    const changed = await changedFiles(this.folderOf(record), record.files)
    if (changed.length === 0) return record
    throw new CmdopError(
      'integrity',
      `The skill ${name} is not as it was installed, so nothing of it is used: ${changed.join(', ')}. Install it again.`,
      { details: { skill: name, changed } },
    )
  }

  /** The folder with the files of a skill. */
  folderOf({ manifest, folder }: SkillRecord): string {
    return join(this.#options.folder, manifest.name, folder)
  }

  /** Puts a skill in place, in place of the version before, if it is what was announced. Throws `validation`, `integrity`, `conflict`. */
  install(params: SkillInstallParams, files: readonly SkillFile[], permit: Permit): Promise<SkillPlaced> {
    return this.#alone(() => this.#install(params, files, permit))
  }

  /** Takes a skill away with its files. False when it is not installed. */
  uninstall(name: string): Promise<boolean> {
    return this.#alone(async () => {
      const isThere = (await this.#records.names()).includes(name)
      await this.#records.remove(name)
      await rm(join(this.#options.folder, name), { recursive: true, force: true })
      return isThere
    })
  }

  async #install(
    { name, version, sha256, from }: SkillInstallParams,
    given: readonly SkillFile[],
    { principalId: installedBy }: Permit,
  ): Promise<SkillPlaced> {
    const checked = checkSkillFiles(given)
    if ('issues' in checked) throw invalidSkill(checked.issues)
    const { manifest, body, files } = checked
    const entries = files.map(({ path, executable, data }) => {
      return { path, executable, size: data.length, sha256: createHash('sha256').update(data).digest('hex') }
    })
    const digest = createHash('sha256').update(skillDigestText(entries)).digest('hex')
    if (digest !== sha256 || manifest.name !== name || manifest.version !== version)
      throw new CmdopError(
        'integrity',
        `The files are ${manifest.name} ${manifest.version} with digest ${digest}, not ${name} ${version} with ${sha256}; nothing was installed.`,
      )
    const names = await this.#records.names()
    if (!names.includes(name) && names.length >= MAX_INSTALLED)
      throw new CmdopError('conflict', `A machine has at most ${MAX_INSTALLED} skills; uninstall one first.`)
    const before = await this.#records.get(name).catch(() => undefined)
    const folder = `${sha256.slice(0, 16)}-${randomBytes(4).toString('hex')}`
    await this.#place(name, folder, files)
    const installed = { installedAt: new Date().toISOString(), installedBy, installedFrom: from }
    await this.#records.put({ version: 1, manifest, body, sha256, folder, files: entries, ...installed })
    await this.#clear(name, [folder, before?.folder])
    return { sha256, replaced: before?.manifest.version ?? null }
  }

  /** A folder is there whole or not at all; what is half-written has another name. */
  async #place(name: string, folder: string, files: Parameters<typeof writeSkillFolder>[1]): Promise<void> {
    const home = join(this.#options.folder, name)
    await ownFolder(this.#options.folder)
    await ownFolder(home)
    const half = join(home, `.${folder}`)
    try {
      await writeSkillFolder(half, files)
      await rename(half, join(home, folder))
    } catch (error) {
      await rm(half, { recursive: true, force: true })
      throw error
    }
  }

  /** Older folders go; the one before stays for what still runs in it. */
  async #clear(name: string, kept: readonly (string | undefined)[]): Promise<void> {
    const home = join(this.#options.folder, name)
    for (const each of await readdir(home))
      if (!kept.includes(each)) await rm(join(home, each), { recursive: true, force: true })
  }

  async #view(record: SkillRecord, changed: string[], versions?: ProgramVersions): Promise<InstalledSkill> {
    const { manifest, sha256, installedAt, installedBy, installedFrom } = record
    const { environment } = this
    return {
      name: manifest.name,
      version: manifest.version,
      sha256,
      description: manifest.description,
      state: changed.length === 0 ? 'ok' : 'changed',
      changed,
      missing: await missingOf(manifest, {
        environment,
        own: environment,
        ...(versions === undefined ? {} : { versions }),
      }),
      tools: manifest.tools.map(({ name, description }) => ({ name, description })),
      installedAt,
      installedBy,
      installedFrom,
    }
  }

  #alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#changing.then(work, work)
    this.#changing = done.catch(() => {})
    return done
  }
}
