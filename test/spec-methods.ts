/** The table of namespaces of the specification, with the names of TypeScript. */
const table = {
  machines: 'list get update disable info spend ask messages clearMessages activeSession',
  fleets: 'list get create update disable',
  'fleets.members': 'list add setRole remove',
  'fleets.machines': 'list attach detach',
  tunnels: 'open close list get sessions',
  schedules: 'list get create update delete trigger runs',
  keys: 'list issue revoke',
  skills: 'list get my install star versions reviews create update delete publish publishStatus categories tags',
}

/** Each method of it: `machines.list`. */
export const specMethods = Object.entries(table).flatMap(([namespace, names]) =>
  names.split(' ').map((name) => `${namespace}.${name}`),
)
