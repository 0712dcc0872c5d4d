/** A word of a command: what the program gets, as far as that is known before the command runs. */
export interface Word {
  /** As it was typed. */
  readonly text: string
  /** What it may be, one of them; undefined: not known before it runs (a variable, a substitution, a glob, a brace). */
  readonly values: readonly string[] | undefined
  /** With what an unknown word begins for sure. */
  readonly start: string
  /** Whether it may become several words of any kind, or none. What a glob becomes begins as the word does. */
  readonly splits: boolean
  /** It is a process substitution, and nothing else: what is written to it goes to a command. */
  readonly isProcess?: boolean
}

/** `write` empties what was there; `append` adds to it; `input` is a text given in the command itself. */
export type RedirectionKind = 'read' | 'write' | 'append' | 'input'

/** Where a command reads from or writes to. */
export interface Redirection {
  readonly kind: RedirectionKind
  /** The path, or of an `input` the text. */
  readonly target: Word
  /** It reads, but as what the output of a command goes to: `1<file`. */
  readonly isOutput?: boolean
}

/** A variable that is set for a command, or by one without a name. */
export interface Assignment {
  readonly name: string
  /** Undefined: not known before it runs. */
  readonly value: string | undefined
}

/** A program as it would run, with its words. */
export interface SimpleCommand {
  /** The name first. Empty: only variables or redirections. */
  readonly words: readonly Word[]
  readonly assignments: readonly Assignment[]
  readonly redirections: readonly Redirection[]
  /** What it was found in, outermost first: `sudo`, `pipe`, `substitution`, `loop`... */
  readonly via: readonly string[]
  /** The directory for its relative paths; undefined: not known. */
  readonly cwd: string | undefined
  /** The hosts that it runs on, where that is another one; an unknown one is `*`. */
  readonly on: readonly string[]
  /** The program whose output it reads, through a pipe; `?` when that is not one program. */
  readonly pipedFrom: string | undefined
  /** Directories that it may be in, where `cwd` is not known: those to which the script changes. */
  readonly mayBeIn?: readonly string[]
  /** What it may be given besides its words: where a `find` begins, what an `echo` sends to `xargs`. As typed, where it is not known. */
  readonly given?: readonly string[]
  /** It only runs another, which is looked at by itself. Undefined: no such program. */
  readonly wrapper?: Wrapper
}

/** What is known of a program that runs others. */
export interface Wrapper {
  /** Why it is not known what it runs; undefined: it is, and the program adds nothing to it. */
  readonly unknown: string | undefined
}

/** A command as it would run. */
export interface ParsedCommand {
  readonly commands: readonly SimpleCommand[]
  /** Why nobody can say what a shell makes of it; undefined: it is understood. */
  readonly problem: string | undefined
}

/** The value of a word that is known. */
export function valueOf(word: Word | undefined): string | undefined {
  return word?.values?.length === 1 ? word.values[0] : undefined
}

/** Whether a program may take it for an option. */
export function mayBeOption(word: Word): boolean {
  if (word.values !== undefined) return word.values.some((value) => value.startsWith('-'))
  return word.start === '' || word.start.startsWith('-')
}

/** A word of an argv, which no shell looks at. */
export function literalWord(value: string): Word {
  return { text: value, values: [value], start: value, splits: false }
}

/** A word of which nothing is known but its beginning. */
export function unknownWord(text: string, start = '', splits = true): Word {
  return { text, values: undefined, start, splits }
}
