/** A file of the session's private folder. */
export interface IntegrationFile {
  readonly name: string
  readonly text: string
}

/** What an integration is made for. */
export interface IntegrationRequest {
  /** Path of the shell. */
  readonly shell: string
  readonly nonce: string
  /** The session's private folder, absolute. */
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
}

/** A command that is handed to the shell. */
export interface CommandRequest {
  readonly id: number
  readonly command: string
  /** Not to be kept in the shell's history. */
  readonly hidden: boolean
}

/** How a kind of shell is started with our marks, and how it is given a command. */
export interface Integration {
  /** What follows the name of the shell. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly files: readonly IntegrationFile[]
  /** Name of the file from which the shell takes a command. */
  readonly commandFile: string
  /** What that file holds; the shell reads it, and then runs the command as if it had been typed. */
  commandText(request: CommandRequest): string
  /** What is typed at the prompt to make the shell take the command. */
  readonly keys: string
  /** Whether `^C` at the prompt throws away what was typed there and brings a new prompt. */
  readonly clearsByInterrupt: boolean
  /** Whether it has a line editor, and with it hooks: a mark says that a command which somebody typed begins. */
  readonly editsLines: boolean
}

/** A word in single quotes, as bash, zsh and dash read it. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
