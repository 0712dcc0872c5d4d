/** Route option for long lists that are made here field by field, as their type says: their fields are not looked at once more. */
export const asItIs = { serializerCompiler: () => (answer: unknown) => JSON.stringify(answer) }
