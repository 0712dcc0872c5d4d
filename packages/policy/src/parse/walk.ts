import {
  type Command,
  type ParsedScript,
  type Pipeline,
  type Redirection as ShellRedirection,
  type Statement,
  type SyntaxNode,
  type Word as ShellWord,
  forEachChild,
} from 'unbash'
import { MAX_NESTING, MAX_SIMPLE_COMMANDS } from './limits.ts'
import { readOtherwise } from './read-otherwise.ts'
import { type Assignment, type Redirection, type SimpleCommand, literalWord, valueOf } from './simple-command.ts'
import { arePlain, resolveWord } from './words.ts'

/** From where a script is walked. */
export interface Place {
  readonly via: readonly string[]
  readonly cwd: string | undefined
  readonly on: readonly string[]
  readonly pipedFrom?: string | undefined
  /** Words that come through the pipe. */
  readonly given?: readonly string[] | undefined
}

/** The problem of a function that may go on for ever, as in a fork bomb. */
export const CALLS_ITSELF = 'a function in it calls itself'

/** What nodes are called in {@link SimpleCommand.via}. */
const names: Partial<Record<SyntaxNode['type'], string>> = {
  Pipeline: 'pipe',
  CommandExpansion: 'substitution',
  ProcessSubstitution: 'substitution',
  ArithmeticCommandExpansion: 'substitution',
  Function: 'function',
  For: 'loop',
  While: 'loop',
  ArithmeticFor: 'loop',
  If: 'if',
  Case: 'case',
  Subshell: 'subshell',
}

/** Finds every command in a script, wherever a shell would run one, in the order in which they stand. */
export class Walk {
  /** Why it is not understood. */
  problem: string | undefined
  readonly #commands: SimpleCommand[] = []
  readonly #setOnce: ReadonlySet<string>
  readonly #variables = new Map<string, readonly string[]>()
  /** Those in whose body this is. */
  readonly #functions: string[] = []
  #cwd: string | undefined
  #directoryChanges = 0
  /** Those of which it is not known for which commands they count: in a loop, what comes before it comes after it, too. */
  #unseenChanges = 0
  readonly #directories: string[] = []
  #depth = 0

  constructor(setOnce: ReadonlySet<string>, place: Place) {
    this.#setOnce = setOnce
    this.#cwd = place.cwd
  }

  script(script: ParsedScript, place: Place, isTop = false): void {
    this.#fail(script.errors?.[0]?.message)
    for (const statement of script.commands) this.#statement(statement, place, isTop)
  }

  /** Every command that was found. */
  found(): SimpleCommand[] {
    const commands = this.#commands
    if (this.#unseenChanges === 0) return commands
    return commands.map((command) => ({ ...command, cwd: undefined, mayBeIn: this.#directories }))
  }

  #fail(problem: string | undefined): void {
    this.problem ??= problem
  }

  #statement({ command, background }: Statement, place: Place, isTop: boolean): void {
    const inPlace = background === true ? within(place, 'background') : place
    if (command.type !== 'AndOr') {
      this.#walk(command, inPlace)
      if (isTop && background !== true && command.type === 'Command') this.#remember(command, false)
      return
    }
    // What is after `&&` runs when all before it has.
    const isChain = isTop && background !== true && command.operators.every((operator) => operator === '&&')
    for (const part of command.commands) {
      this.#walk(part, inPlace)
      if (isChain && part.type === 'Command') this.#remember(part, true)
    }
    if (!isChain) return
    // Unless it has not.
    for (const part of command.commands.slice(1)) if (part.type === 'Command') this.#forget(part)
    if (this.#directoryChanges > 0) this.#cwd = undefined
  }

  /** A variable that is set at the beginning, for all that comes after; a directory that was surely changed to. */
  #remember(command: Command, isChained: boolean): void {
    if (command.name === undefined) {
      for (const part of command.prefix) {
        if (
          part.type !== 'Assignment' ||
          part.value.type !== 'Word' ||
          part.append === true ||
          part.index !== undefined
        )
          continue
        const values = resolveWord(part.value, this.#variables).values
        if (values !== undefined && this.#setOnce.has(part.name) && arePlain(values))
          this.#variables.set(part.name, values)
      }
      return
    }
    if (!isChained || command.name.value !== 'cd' || command.args.length !== 1) return
    this.#cwd = this.#directoryOf(command)
    this.#unseenChanges -= 1
  }

  #forget(command: Command): void {
    for (const part of command.prefix) if (part.type === 'Assignment') this.#variables.delete(part.name)
  }

  #directoryOf({ args: [target] }: Command): string | undefined {
    const path = target?.type === 'Word' ? valueOf(resolveWord(target, this.#variables)) : undefined
    return path?.startsWith('/') === true ? path : undefined
  }

  #walk(node: SyntaxNode, place: Place): void {
    this.#depth += 1
    if (this.#depth > MAX_NESTING) this.#fail('it is nested too deeply')
    else this.#node(node, place)
    this.#depth -= 1
  }

  #node(node: SyntaxNode, place: Place): void {
    this.#fail(readOtherwise(node))
    const name = names[node.type]
    const inner = name === undefined ? place : within(place, name)
    if (node.type === 'Command') return this.#command(node, place)
    if (node.type === 'Script') return this.script(node, place)
    if (node.type === 'Statement') return this.#statement(node, place, false)
    if (node.type === 'Pipeline') return this.#pipeline(node, inner)
    if (node.type === 'Redirected') {
      this.#walk(node.command, place)
      return this.#loneRedirections(node.redirects, place)
    }
    if (node.type === 'For') {
      this.#setsVariable(node.name.value, place)
      for (const word of node.wordlist ?? []) this.#expansions(word, place)
      return this.#loop(node.name.value, node.wordlist, () => this.#walk(node.body, inner))
    }
    if (node.type === 'ParameterExpansion' && node.operation?.operator.includes('=') === true)
      this.#setsVariable(node.parameter, place)
    if (node.type === 'Function') this.#functions.push(node.name.value)
    forEachChild(node, (child) => this.#walk(child, inner))
    if (node.type === 'Function') this.#functions.pop()
  }

  #pipeline({ commands }: Pipeline, inner: Place): void {
    let given = inner.given ?? []
    for (const [index, command] of commands.entries()) {
      const pipedFrom = index === 0 ? {} : { pipedFrom: this.#nameOf(commands[index - 1]), given }
      this.#walk(command, { ...inner, ...pipedFrom })
      given = [...given, ...this.#printed(command)]
    }
  }

  /** A loop over PATH sets it as an assignment does. */
  #setsVariable(name: string, { via, on }: Place): void {
    const assignments = [{ name, value: undefined }]
    if (/[A-Z]/.test(name))
      this.#commands.push({ words: [], assignments, redirections: [], cwd: this.#cwd, via, on, pipedFrom: undefined })
  }

  #loop(name: string, words: readonly ShellWord[] | undefined, body: () => void): void {
    const values = words?.map((word) => resolveWord(word, this.#variables).values)
    const all = values?.every((value) => value !== undefined) === true ? values.flat() : undefined
    const isKnown = all !== undefined && all.length <= 64 && this.#setOnce.has(name) && arePlain(all)
    if (isKnown) this.#variables.set(name, all)
    body()
    // After a loop over nothing it is what it was.
    this.#variables.delete(name)
  }

  #command(node: Command, place: Place): void {
    if (this.#commands.length >= MAX_SIMPLE_COMMANDS) return this.#fail('there are too many commands in it')
    const words = node.name === undefined ? [] : [resolveWord(node.name, this.#variables)]
    for (const argument of node.args)
      words.push(
        argument.type === 'Word'
          ? resolveWord(argument, this.#variables)
          : { ...literalWord(argument.text), values: undefined, start: `${argument.name}=` },
      )
    if (
      isGlued([
        ...node.args,
        ...node.redirects.flatMap((redirect) => (redirect.type === 'Redirect' ? (redirect.target ?? []) : [])),
      ])
    )
      this.#fail('a process substitution with more in the same word is not read as a shell does')
    if (this.#functions.includes(valueOf(words[0]) ?? '')) this.#fail(CALLS_ITSELF)
    this.#commands.push({
      words,
      assignments: node.prefix.flatMap((part) => (part.type === 'Assignment' ? [this.#assignment(part)] : [])),
      redirections: this.#redirections(node.redirects),
      via: place.via,
      cwd: this.#cwd,
      on: place.on,
      pipedFrom: place.pipedFrom,
      ...(place.given === undefined || place.given.length === 0 ? {} : { given: place.given }),
    })
    if (words.length > 0 && isDirectoryChange(valueOf(words[0]))) {
      this.#directoryChanges += 1
      this.#unseenChanges += 1
      this.#directories.push(words[1] === undefined ? '~' : (valueOf(words[1]) ?? words[1].text))
    }
    if (node.name !== undefined) this.#expansions(node.name, place)
    for (const part of [...node.prefix, ...node.suffix])
      if (part.type === 'Word') this.#expansions(part, place)
      else this.#walk(part, place)
  }

  /** Plain words have nothing in them that runs. */
  #expansions(word: ShellWord, place: Place): void {
    if (word.parts !== undefined) this.#walk(word, place)
  }

  #assignment({ name, value }: Extract<Command['prefix'][number], { type: 'Assignment' }>): Assignment {
    return { name, value: value.type === 'Word' ? valueOf(resolveWord(value, this.#variables)) : undefined }
  }

  #loneRedirections(redirects: readonly ShellRedirection[], place: Place): void {
    const redirections = this.#redirections(redirects)
    if (redirections.length > 0) {
      const { via, on } = place
      this.#commands.push({ words: [], assignments: [], redirections, cwd: this.#cwd, via, on, pipedFrom: undefined })
    }
    for (const redirect of redirects) this.#walk(redirect, place)
  }

  #redirections(redirects: readonly ShellRedirection[]): Redirection[] {
    return redirects.flatMap((redirect) => this.#redirection(redirect) ?? [])
  }

  #redirection(redirect: ShellRedirection): Redirection | undefined {
    if (redirect.type === 'HereDoc') {
      if (/\n/.test(redirect.delimiter?.value ?? ''))
        this.#fail('a here-document whose end is more than one line ends elsewhere in some shells')
      const { text, parts } = redirect.body
      const isText = parts === undefined || redirect.delimiter?.quoted === true
      return { kind: 'input', target: isText ? literalWord(text) : { ...literalWord(text), values: undefined } }
    }
    if (redirect.target === undefined) return undefined
    const target = resolveWord(redirect.target, this.#variables)
    if (redirect.type === 'HereString') return { kind: 'input', target }
    // A descriptor that is copied or closed.
    if (/^[<>]&$/.test(redirect.operator) && /^(?:\d*-?|)$/.test(valueOf(target) ?? '?')) return undefined
    const { descriptor } = redirect
    const isOutput = descriptor?.type === 'FileDescriptor' && (descriptor.value === 1 || descriptor.value === 2)
    return { kind: kindOf(redirect.operator), target, ...(isOutput ? { isOutput } : {}) }
  }

  /** The words that a command prints, of commands that print what they are told. */
  #printed(node: SyntaxNode | undefined): string[] {
    if (node?.type !== 'Command' || !/^(?:echo|printf|find|ls)$/.test(this.#nameOf(node))) return []
    const texts = node.args.flatMap((word) => {
      if (word.type !== 'Word') return []
      return resolveWord(word, this.#variables).values ?? [word.text]
    })
    return texts.flatMap((text) => text.split(/\s+|\\[n0]/)).slice(0, 64)
  }

  #nameOf(node: SyntaxNode | undefined): string {
    if (node?.type !== 'Command' || node.name === undefined) return '?'
    return valueOf(resolveWord(node.name, this.#variables)) ?? '?'
  }
}

/** Whether a word begins where a process substitution ends: for a shell the two are one. */
function isGlued(words: readonly { readonly pos: number; readonly end: number; readonly text: string }[]): boolean {
  const ends = words.filter(({ text }) => /^[<>]\(/.test(text)).map(({ end }) => end)
  return ends.length > 0 && words.some(({ pos }) => ends.includes(pos))
}

function within(place: Place, name: string): Place {
  return place.via.at(-1) === name ? place : { ...place, via: [...place.via, name] }
}

function isDirectoryChange(name: string | undefined): boolean {
  return name === undefined || ['cd', 'pushd', 'popd', 'eval', '.', 'source'].includes(name)
}

function kindOf(operator: string): Redirection['kind'] {
  if (operator === '>>' || operator === '&>>') return 'append'
  return operator === '<' || operator === '<&' ? 'read' : 'write'
}
