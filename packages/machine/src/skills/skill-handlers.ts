import { ANSWER_LANE, type Channel, CmdopError, SkillBundle, type SkillInstallParams } from '@cmdop/protocol'
import { answer } from '../answer.ts'
import type { Handlers } from '../call-handler.ts'
import type { SkillTable } from './skill-table.ts'

/** Serves the methods of skills. */
export function createSkillHandlers(skills: SkillTable): Handlers {
  return {
    'skill.list': (channel) => answer(channel, async () => ({ items: await skills.list() })),
    'skill.get': (channel, { name }) => answer(channel, () => skills.get(name)),
    'skill.install': async (channel, params, permit) => {
      const { files } = await receivedBundle(channel, params)
      await channel.end(await skills.install(params, files, permit))
    },
    'skill.uninstall': (channel, { name }) => answer(channel, async () => ({ removed: await skills.uninstall(name) })),
  }
}

/** The files that were announced. Throws `integrity` for another number of bytes, and `validation` for what is no bundle. */
async function receivedBundle(channel: Channel, { size }: SkillInstallParams) {
  channel.accept()
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const { lane, data } of channel) {
    bytes += data.length
    if (lane !== ANSWER_LANE) throw new CmdopError('protocol', 'Expected the files on their lane.')
    if (bytes > size)
      throw new CmdopError('integrity', `Expected ${size} bytes of files, got more; nothing was installed.`)
    pieces.push(data)
  }
  if (bytes !== size)
    throw new CmdopError('integrity', `Expected ${size} bytes of files, got ${bytes}; nothing was installed.`)
  const bundle = SkillBundle.safeParse(parsed(Buffer.concat(pieces).toString()))
  if (bundle.success) return bundle.data
  throw new CmdopError('validation', 'The files are not in the form that is expected; nothing was installed.', {
    cause: bundle.error,
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
