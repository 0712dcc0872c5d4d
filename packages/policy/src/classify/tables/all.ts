import { type CheckTable, each } from '../checks.ts'
import { checkAwk } from '../programs/awk.ts'
import { builtinTable } from '../programs/builtins.ts'
import { checkFind } from '../programs/find.ts'
import { checkSed } from '../programs/sed.ts'
import { checkTar } from '../programs/tar.ts'
import { containerTable } from './containers.ts'
import { dataTable } from './data.ts'
import { fileTable } from './files.ts'
import { gitTable } from './git.ts'
import { networkTable } from './network.ts'
import { packageTable } from './packages.ts'
import { plainTable } from './plain.ts'
import { systemTable } from './system.ts'

/** Every command that is known, by its name. */
export const commandTable: CheckTable = {
  ...plainTable,
  ...builtinTable,
  ...fileTable,
  ...systemTable,
  ...networkTable,
  ...gitTable,
  ...containerTable,
  ...packageTable,
  ...dataTable,
  ...each('awk gawk mawk nawk', checkAwk),
  ...each('sed gsed', checkSed),
  ...each('tar gtar bsdtar', checkTar),
  ...each('find gfind', checkFind),
}
