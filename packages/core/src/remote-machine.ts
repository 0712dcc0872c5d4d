import { CmdopError, Facts, FileListing, FileReadEnd, type MachineSummary, type MethodName } from '@cmdop/protocol'
import type { z } from 'zod'
import type { Channels } from './channels.ts'
import { RemoteExecution } from './execution.ts'
import type { ExecOptions, Execution, FileList, FilePart, Machine, MachineFiles, MachinePath } from './machine.ts'

/** A machine over the relay. It is always the one it was resolved to, whatever is renamed meanwhile. */
export class RemoteMachine implements Machine {
  readonly id: string
  readonly name: string
  readonly hostname: string
  readonly files: MachineFiles
  readonly #channels: Channels

  constructor(channels: Channels, summary: Pick<MachineSummary, 'id' | 'name' | 'hostname'>) {
    this.#channels = channels
    this.id = summary.id
    this.name = summary.name
    this.hostname = summary.hostname
    const files: Pick<MachineFiles, 'read' | 'list'> = {
      read: (path, options) => this.#read(path, options),
      list: (path, options) => this.#list(path, options),
    }
    this.files = files as MachineFiles
  }

  exec(command: string | readonly string[], options: ExecOptions = {}): Execution {
    return new RemoteExecution({ channels: this.#channels, machineId: this.id, command, callId: newCallId(), options })
  }

  async facts(options: { signal?: AbortSignal } = {}): Promise<Facts> {
    const { data } = await this.#ask('facts', {}, options.signal)
    return parseAnswer(Facts, parseJson(data))
  }

  async #read(path: MachinePath, options: Parameters<MachineFiles['read']>[1] = {}): Promise<FilePart> {
    const { signal, ...range } = options
    const { data, trailer } = await this.#ask('file.read', { path, ...range }, signal)
    return { path, data, offset: range.offset ?? 0, size: parseAnswer(FileReadEnd, trailer).size }
  }

  async #list(path: MachinePath, options: Parameters<MachineFiles['list']>[1] = {}): Promise<FileList> {
    const { signal, ...page } = options
    const { data } = await this.#ask('file.list', { path, ...page }, signal)
    const { entries, nextCursor } = parseAnswer(FileListing, parseJson(data))
    return { entries, ...(nextCursor === undefined ? {} : { nextCursor }) }
  }

  #ask(method: MethodName, params: Record<string, unknown>, signal: AbortSignal | undefined) {
    return this.#channels.ask({ method, target: this.id, params, callId: newCallId(), signal })
  }
}

/** 128 random bits. */
function newCallId(): string {
  return `call_${crypto.randomUUID().replaceAll('-', '')}`
}

function parseJson(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(data))
  } catch {
    return undefined
  }
}

function parseAnswer<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new CmdopError('server', 'The machine gave an answer of another shape; is its daemon of another version?', {
    cause: parsed.error,
  })
}
