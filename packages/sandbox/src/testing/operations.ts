import fs from 'node:fs'
import { writeXattrs, readXattrs } from '../disk/xattrs.ts'

/** A step of a script of file operations. Paths are base64 of bytes below the script's directory; contents are text. */
export type Operation =
  | readonly ['write' | 'append', path: string, content: string]
  | readonly ['truncate', path: string, size: number]
  | readonly ['chmod', path: string, mode: number]
  | readonly ['chown', path: string, id: number]
  | readonly ['xattr', path: string, value: string]
  | readonly ['touch', path: string, seconds: number]
  | readonly ['rename' | 'link' | 'copy', path: string, to: string]
  | readonly ['symlink', path: string, target: string]
  | readonly ['mkdir' | 'rmdir' | 'unlink' | 'remove', path: string]

/** Does the steps in order; what fails (no such file, not a directory) is left out, and said in the answer. */
export function runOperations(directory: string, operations: readonly Operation[]): string[] {
  return operations.map((operation) => {
    try {
      run(directory, operation)
      return 'done'
    } catch (error) {
      return error instanceof Error && 'code' in error ? String(error.code) : String(error)
    }
  })
}

function run(directory: string, operation: Operation): void {
  const at = (path: string) => Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(path, 'base64')])
  const path = at(operation[1])
  switch (operation[0]) {
    case 'write':
      return fs.writeFileSync(path, operation[2])
    case 'append':
      return fs.appendFileSync(path, operation[2])
    case 'truncate':
      return fs.truncateSync(path, operation[2])
    case 'chmod':
      return fs.chmodSync(path, operation[2])
    case 'chown':
      return fs.lchownSync(path, operation[2], operation[2])
    case 'xattr':
      return writeXattrs(path, new Map([...readXattrs(path), ['user.note', Buffer.from(operation[2])]]))
    case 'touch':
      return fs.lutimesSync(path, operation[2], operation[2])
    case 'rename':
      return fs.renameSync(path, at(operation[2]))
    case 'link':
      return fs.linkSync(path, at(operation[2]))
    case 'copy':
      // A copy that fails removes what was there.
      return fs.writeFileSync(at(operation[2]), fs.readFileSync(path))
    case 'symlink':
      return fs.symlinkSync(Buffer.from(operation[2], 'base64'), path)
    case 'mkdir':
      return fs.mkdirSync(path)
    case 'rmdir':
      return fs.rmdirSync(path)
    case 'unlink':
      return fs.unlinkSync(path)
    case 'remove':
      return removeTree(path)
  }
}

/** `fs.rmSync` does not take bytes that are not UTF-8. */
function removeTree(path: Buffer): void {
  if (!fs.lstatSync(path).isDirectory()) return fs.unlinkSync(path)
  for (const name of fs.readdirSync(path, { encoding: 'buffer' }))
    removeTree(Buffer.concat([path, Buffer.from('/'), name]))
  fs.rmdirSync(path)
}
