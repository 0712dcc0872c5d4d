/** Starts programs as any Node program does, and reads what they put out: the least that work on so many machines can take. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { serve } from './serve.ts'

serve({
  answer: async (question) => {
    if (question.type !== 'spawn') throw new Error(`Expected a question for programs, got ${question.type}.`)
    const { argv, count, atOnce } = question
    let next = 0
    const lane = async () => {
      for (; next < count;) {
        next += 1
        await run(argv)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, lane))
    return { type: 'spawned', count }
  },
  close: () => Promise.resolve(),
})

async function run([file = '', ...args]: readonly string[]): Promise<string> {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (data: string) => (output += data))
  child.stderr.resume()
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0 || output === '') throw new Error(`${file} ended with ${code}.`)
  return output
}
