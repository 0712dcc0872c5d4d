import { z } from 'zod'
import { SkillFile, SkillFileEntry } from '../skills/skill-files.ts'
import { SkillName, SkillTool, SkillVersionName } from '../skills/skill-manifest.ts'
import { MAX_SKILL_FILES } from '../skills/skill-paths.ts'
import { Sha256 } from './sha256.ts'

/** Bytes of the files of a skill as they are sent to a machine, in JSON, at most. */
export const MAX_SKILL_BUNDLE_BYTES = 3 * 1024 * 1024

/** What a command of `exec` runs of an installed skill. The machine runs it only if it is exactly that, and every file is as it was installed. */
export const SkillUse = z.strictObject({
  name: SkillName,
  /** Digest of the version that is meant. */
  sha256: Sha256,
  /** The tool; null: its `run_check`. */
  tool: z.string().min(1).max(64).nullable(),
})
export type SkillUse = z.infer<typeof SkillUse>

/** What a machine has not got that a skill requires. */
export const SkillMissing = z.object({
  /** Programs that are not on the PATH of the daemon. */
  bins: z.array(z.string()),
  /** Variables that the daemon has not set; whoever runs it may set them. */
  env: z.array(z.string()),
  /** Programs that are there in a version that its `runtime` does not name. An older daemon does not look. */
  versions: z
    .array(
      z.object({
        bin: z.string(),
        /** What the skill says. */
        range: z.string(),
        /** What the program says; null where it does not. */
        found: z.string().nullable(),
      }),
    )
    .default([]),
})
export type SkillMissing = z.infer<typeof SkillMissing>

/** A tool of an installed skill: see {@link SkillTool}. */
export const InstalledSkillTool = SkillTool.omit({ timeout_seconds: true }).extend({
  /** Seconds after which it is stopped. */
  timeoutSeconds: z.number().int(),
})
export type InstalledSkillTool = z.infer<typeof InstalledSkillTool>

/** A skill that is installed on a machine. */
export const InstalledSkill = z.object({
  name: SkillName,
  version: SkillVersionName,
  /** Digest of its version, as it was when it was installed. */
  sha256: Sha256,
  description: z.string(),
  /** `ok`: every file is as it was installed. `changed`: it is not, and nothing of the skill is run. */
  state: z.enum(['ok', 'changed']),
  /** Which files are not as they were, the first ones. */
  changed: z.array(z.string()),
  missing: SkillMissing,
  /** Its tools, by name, with what they do. */
  tools: z.array(z.object({ name: z.string(), description: z.string() })),
  installedAt: z.iso.datetime(),
  /** The principal that installed it. */
  installedBy: z.string(),
  /** The address of the registry, as whoever installed it says. */
  installedFrom: z.string(),
})
export type InstalledSkill = z.infer<typeof InstalledSkill>

/** Parameters of `skill.list`: the installed skills, by name. The answer is an {@link InstalledSkillList}. */
export const SkillListParams = z.strictObject({})
export const InstalledSkillList = z.object({ items: z.array(InstalledSkill) })
export type InstalledSkillList = z.infer<typeof InstalledSkillList>

/** Parameters of `skill.get`. The answer is an {@link InstalledSkillDetails}; `integrity` where a file is not as it was installed. */
export const SkillGetParams = z.strictObject({ name: SkillName })
export const InstalledSkillDetails = InstalledSkill.extend({
  /** The folder with its files. */
  folder: z.string(),
  author: z.string().nullable(),
  /** The model that it was written for. */
  model: z.string().nullable(),
  /** The body of its `SKILL.md`. */
  body: z.string(),
  tools: z.array(InstalledSkillTool),
  /** What says whether it works here; a line for `/bin/sh -c` in its folder. */
  runCheck: z.string().nullable(),
  files: z.array(SkillFileEntry),
})
export type InstalledSkillDetails = z.infer<typeof InstalledSkillDetails>

/**
 * Parameters of `skill.install`: its files come on lane 1, a {@link SkillBundle} as JSON. The machine computes the digest itself, and
 * puts nothing in place that has another (`integrity`). The trailer is a {@link SkillPlaced}.
 */
export const SkillInstallParams = z.strictObject({
  name: SkillName,
  version: SkillVersionName,
  sha256: Sha256,
  /** Bytes that will come. */
  size: z.number().int().min(1).max(MAX_SKILL_BUNDLE_BYTES),
  /** The address of the registry, for people. */
  from: z
    .string()
    .max(2048)
    .regex(/^\P{Cc}*$/u),
})
export type SkillInstallParams = z.infer<typeof SkillInstallParams>

/** The files of a skill on their way to a machine. */
export const SkillBundle = z.strictObject({ files: z.array(SkillFile).max(MAX_SKILL_FILES) })
export type SkillBundle = z.input<typeof SkillBundle>

/** Trailer of `skill.install`. */
export const SkillPlaced = z.object({
  sha256: Sha256,
  /** The version that was there before; null for none. */
  replaced: z.string().nullable(),
})
export type SkillPlaced = z.infer<typeof SkillPlaced>

/** Parameters of `skill.uninstall`. The answer is whether there was one. */
export const SkillUninstallParams = z.strictObject({ name: SkillName })
export const SkillUninstalled = z.object({ removed: z.boolean() })
