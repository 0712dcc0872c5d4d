import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EffectInfo, EffectList } from '@cmdop/protocol'
import { z } from 'zod'

const KeptView = z.object({
  id: z.string(),
  folder: z.string(),
  layers: z.array(z.object({ root: z.string(), upper: z.string() })),
  flavour: z.enum(['trusted', 'user']),
  marker: z.string(),
  unpreviewable: z.array(z.object({ path: z.string(), why: z.string() })),
})

/** What a later daemon has to know of an effect, beside its view. */
export const EffectRecord = z.object({ info: EffectInfo, view: KeptView })
export type EffectRecord = z.infer<typeof EffectRecord>

/** Two small files for each effect: what it is, and its list once that does not change any more. They survive a killed daemon. */
export class EffectStore {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  }

  save(record: EffectRecord, list?: EffectList): void {
    const { effectId } = record.info
    if (list !== undefined) this.#write(`${effectId}.list`, JSON.stringify(list))
    this.#write(`${effectId}.json`, JSON.stringify(EffectRecord.parse(record)))
  }

  /** The list as it was when the effect was kept. */
  list(effectId: string): EffectList | null {
    try {
      return EffectList.parse(JSON.parse(readFileSync(join(this.#folder, `${effectId}.list`), 'utf8')))
    } catch {
      return null
    }
  }

  remove(effectId: string): void {
    rmSync(join(this.#folder, `${effectId}.json`), { force: true })
    this.removeList(effectId)
  }

  removeList(effectId: string): void {
    rmSync(join(this.#folder, `${effectId}.list`), { force: true })
  }

  /** What an earlier daemon knew; without what it could not write to its end. */
  load(): EffectRecord[] {
    const names = readdirSync(this.#folder).filter((name) => name.endsWith('.json'))
    return names.flatMap((name) => {
      try {
        return EffectRecord.parse(JSON.parse(readFileSync(join(this.#folder, name), 'utf8')))
      } catch {
        return []
      }
    })
  }

  /** There whole or not at all. */
  #write(name: string, text: string): void {
    const file = join(this.#folder, name)
    writeFileSync(`${file}.next`, text, { mode: 0o600 })
    renameSync(`${file}.next`, file)
  }
}
