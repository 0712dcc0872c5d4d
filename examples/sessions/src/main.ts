import assert from 'node:assert/strict'
import { scriptedModel } from '@cmdop/agent/testing'
import { createAgent, embedded, ExecuteError } from 'cmdop'

await using local = await embedded()
const { client, machine } = local

// A session is a shell in a terminal that outlives its clients.
const session = await machine.sessions.open({ shell: 'sh', name: 'deploy' })

// What a command changes in the shell stays for the next one.
const [output, exitCode] = await session.execute('cd /usr && pwd')
assert.deepEqual([output, exitCode], ['/usr\n', 0])
assert.equal((await session.execute('ls -d bin')).output, 'bin\n')

// A deadline interrupts the command, and the session stays usable.
const error = await session.execute('echo begun; sleep 60', { timeoutMs: 500 }).then(undefined, (reason) => reason)
assert(error instanceof ExecuteError && error.code === 'deadline')
assert.equal((await session.execute('pwd')).output, '/usr\n')

// An operator types and reads what the terminal shows; the loop goes on over a lost connection.
await using operator = await session.attach({ size: { columns: 120, rows: 40 } })
await operator.write('echo "$((6 * 7)) files deployed"; exit 3\n')
let screen = ''
for await (const event of operator) {
  if (event.type === 'output') screen += Buffer.from(event.data).toString()
  if (event.type === 'end') assert.equal(event.exitCode, 3)
}
assert(screen.includes('42 files deployed'))

// One machine and one session at a time, for a script that goes through machines.
for (const name of [machine.name]) {
  await client.terminal.getActiveSession(name)
  const [uptime, code] = await client.terminal.execute('uptime')
  assert(code === 0 && uptime.includes('load average'))
}

// Whoever may not type watches.
await using stream = await client.terminal.stream({ mode: 'observer' })
assert.equal(stream.holdsLease, false)
await assert.rejects(stream.write('rm -rf /\n'), { code: 'permission' })

using model = scriptedModel([
  { calls: [{ tool: 'run_command', input: { command: 'cd /usr' } }] },
  { calls: [{ tool: 'run_command', input: { command: 'pwd' } }] },
  { text: 'It is /usr.' },
])
// What an AI operator runs is shown in a session of its own, while it runs and in a recording.
const result = await createAgent({ machine, model }).run('Where does a directory carry over to?')
assert.match(JSON.stringify(result.toolCalls[1]?.output), /"stdout":"\/usr/)
const ended = await machine.sessions.list({ ended: true })
assert(ended.some(({ sessionId, kind }) => sessionId === result.sessionId && kind === 'run'))
