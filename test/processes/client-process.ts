import { Client, type ExecOptions } from '@cmdop/core'
import { say, settings } from './run-until-told.ts'

/** Runs one command on a machine and says each piece of its output; ends only by being killed. */
const { baseUrl, token, machineId, command, options } = settings() as {
  baseUrl: string
  token: string
  machineId: string
  command: string
  options: ExecOptions
}
const machine = await new Client({ baseUrl, token }).machine(machineId)
for await (const { data } of machine.exec(command, options)) say(Buffer.from(data).toString())
