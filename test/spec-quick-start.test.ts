import { Client } from '@cmdop/core'
import { setMachinePin } from '@cmdop/machine'
import { expect, test } from 'vitest'
import { runs, startAsked } from './asked-world.ts'

// The quick start and the streaming example of the specification, line for line: what it prints is collected in `printed`.

test('the machines that are online are listed, and one is asked for a text', async () => {
  await using asked = await startAsked([runs('uptime'), { text: 'Up for a day.' }])
  const { machine, relay } = asked.world
  const printed: unknown[] = []
  const machineId = machine.id

  await using client = new Client({ token: relay.firstKey, baseUrl: relay.url })
  const page = await client.machines.list({ presence: 'online' })
  for (const m of page.items) printed.push([m.hostname, m.presence])

  const text = await client.machines.ask(machineId, 'uptime').collect()
  printed.push(text)

  const { hostname } = await asked.world.client.machines.get(machineId)
  expect(printed).toEqual([[hostname, 'online'], 'Up for a day.'])
})

test('a stream prints what comes, answers the question for the PIN and the dangerous plan, and ends', async () => {
  const dangerous = 'rm -rf /tmp/cmdop-quick-start-gone'
  await using asked = await startAsked([runs(dangerous), { text: 'The disk is half full.' }])
  const { machine, client: c } = asked.world
  await setMachinePin(machine.dataDir, '1234')
  const printed: string[] = []
  const plans: string[] = []
  const machineId = machine.id

  const stream = c.machines.ask(machineId, 'df -h', { sessionId: 's1', confirm: 'changes' })
  for await (const frame of stream) {
    if (frame.type === 'event') {
      const { delta } = frame.payload
      if (typeof delta === 'string') printed.push(delta)
    } else if (frame.type === 'pin_required') {
      // machine asked for its connect PIN
      await stream.pin(frame.challengeId, '1234')
    } else if (frame.type === 'confirm_required') {
      // a dangerous plan awaits approval
      plans.push(frame.plan)
      await stream.confirm(frame.token, true)
    } else if (frame.type === 'pin_denied') {
      printed.push(`PIN rejected: ${frame.reason}`)
    } else if (frame.type === 'done') {
      printed.push(`\n-> ${frame.text}`)
    }
  }

  expect(plans.join('\n')).toContain(dangerous)
  expect(printed.join('')).toBe('The disk is half full.\n-> The disk is half full.')
  // one-shot: drain to the final text
  await expect(c.machines.ask(machineId, 'uptime').collect()).rejects.toMatchObject({
    code: 'pin_required_timeout',
    message: expect.stringContaining('pin'),
  })
})

test('a PIN that is passed upfront opens the machine, and a wrong one is PinDeniedError', async () => {
  await using asked = await startAsked([{ text: 'Up for a day.' }])
  const { machine, client: c } = asked.world
  await setMachinePin(machine.dataDir, '1234')
  expect(await c.machines.ask(machine.id, 'uptime', { pin: '1234' }).collect()).toBe('Up for a day.')
  await expect(c.machines.ask(machine.id, 'uptime', { pin: '4321' }).collect()).rejects.toMatchObject({
    name: 'PinDeniedError',
    code: 'pin_denied',
    retryable: false,
  })
})

test('collect throws when the ask was not done, and says why', async () => {
  await using asked = await startAsked([runs('rm -rf /tmp/cmdop-quick-start-gone')])
  const { machine, client: c } = asked.world
  const asking = c.machines.ask(machine.id, 'Remove it', { confirm: 'changes' })
  await expect(asking.collect()).rejects.toMatchObject({ message: expect.stringMatching(/confirm/) })
})
