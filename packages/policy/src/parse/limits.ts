/** Characters of a command that are looked at; a longer one is not understood. */
export const MAX_COMMAND_LENGTH = 32_768

/** Words of an argv that are looked at. */
export const MAX_COMMAND_WORDS = 4096

/** Expansions, quotes of the old kind and brackets in one command: what makes a parser look at a text again. */
export const MAX_EXPANSIONS = 1000

/** Simple commands in one command. */
export const MAX_SIMPLE_COMMANDS = 500

/** Wrappers and shells within each other. */
export const MAX_WRAPPERS = 12

/** Compound commands and expansions within each other. */
export const MAX_NESTING = 60
