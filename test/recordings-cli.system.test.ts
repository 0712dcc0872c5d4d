import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCli } from './processes/cli.ts'
import { waitFor } from './wait-for.ts'
import { watch } from './watch.ts'
import { startWorld, type World } from './world.ts'

const main = fileURLToPath(new URL('../packages/cli/src/main.ts', import.meta.url))

let world: World
let recordingId = ''
let env: Record<string, string> = {}
beforeAll(async () => {
  world = await startWorld()
  env = { CMDOP_BASE_URL: world.relay.url, CMDOP_TOKEN: world.relay.firstKey }
  recordingId = await record(String.raw`printf '\033[?1049hred\n'; sleep 0.3; printf '\377end\n'`)
})
afterAll(() => world[Symbol.asyncDispose]())

async function record(command: string): Promise<string> {
  const execution = world.handle.exec(command)
  await execution
  return waitFor('it is recorded', async () => {
    const { items } = await world.client.recordings.list({ subjectId: execution.callId })
    return items.find(({ state }) => state === 'complete')?.recordingId
  })
}

describe('cmdop recordings', () => {
  test('lists what was recorded, the newest first', async () => {
    const newer = await record('echo newer')
    const { code, stdout } = await runCli(['recordings', '--machine', world.machine.name], env)
    const [header = '', first = ''] = stdout.split('\n')
    expect(code).toBe(0)
    expect(header).toMatch(/^STARTED +KIND +STATE +WHO +WHAT +ID$/)
    expect(first).toMatch(new RegExp(`exec +complete +owner +echo newer +${newer}$`))
    const json = await runCli(['recordings', '--json', '--limit', '1', '--kind', 'exec'], env)
    expect(JSON.parse(json.stdout)).toMatchObject({ items: [{ recordingId: newer, state: 'complete' }] })
    expect((await runCli(['recordings', '--kind', 'session'], env)).stdout.split('\n')).toHaveLength(2)
  })
})

describe('cmdop replay', () => {
  test('gives the bytes of a recording to a pipe at once, by the id of the recording or of the command', async () => {
    const { subjectId } = await world.client.recordings.get(recordingId)
    for (const id of [recordingId, subjectId]) {
      const { code, stdout, stderr } = await runCli(['replay', id, '--speed', '0.001'], env)
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '\x1b[?1049hred\n\u{fffd}end\n', stderr: '' })
    }
  })

  test('prints one JSON document with everything that happened', async () => {
    const { code, stdout } = await runCli(['replay', recordingId, '--json'], env)
    const document = JSON.parse(stdout) as { recording: unknown; events: { data: string; time: number }[] }
    expect(code).toBe(0)
    expect(document).toMatchObject({ recording: { recordingId, state: 'complete', manifest: { exitCode: 0 } } })
    expect(document.events.map(({ data }) => Buffer.from(data, 'base64').toString('latin1')).join('')).toBe(
      '\x1b[?1049hred\n\xffend\n',
    )
  })

  test('plays to a terminal as it was, at its pace, and leaves the terminal as it found it', async () => {
    const session = await world.handle.sessions.open({
      shell: 'sh',
      size: { columns: 200, rows: 30 },
      env: { ...env, XDG_CONFIG_HOME: '/nonexistent', PS1: '' },
    })
    await using attachment = await session.attach({ size: { columns: 200, rows: 30 } })
    const seen = watch(attachment)
    const command = `${process.execPath} --conditions=@cmdop/source ${main} replay ${recordingId}`
    await attachment.write(`${command} --idle-limit 200ms; echo "code=$?"; stty -a | grep -oE -- '-?opost'\n`)
    await seen.until('\x1b[?1049hred\r\n')
    const first = performance.now()
    await seen.until('end\r\n')
    expect(performance.now() - first).toBeGreaterThan(100)
    await seen.until('\x1b[?1049l')
    await seen.until('code=0\r\nopost\r\n')
    await session.close()
  })

  test('tells wrong options and unknown recordings by exit code', async () => {
    expect((await runCli(['replay', recordingId, '--speed', '0'], env)).code).toBe(2)
    expect((await runCli(['replay', recordingId, '--idle-limit', 'soon'], env)).code).toBe(2)
    expect((await runCli(['replay', 'rec_00000000'], env)).code).toBe(4)
    const json = await runCli(['replay', 'nothing', '--json'], env)
    expect([json.code, JSON.parse(json.stdout)]).toMatchObject([4, { error: { code: 'not_found' } }])
  })
})
