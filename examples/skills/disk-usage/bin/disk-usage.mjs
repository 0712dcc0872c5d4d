import { statfs } from 'node:fs/promises'

/** Answers with one JSON object; its exit code says the same as `ok`. */
function answer(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`)
  process.exitCode = value.ok ? 0 : 1
}

function percent(used, of) {
  return of === 0 ? 0 : Math.round((used / of) * 1000) / 10
}

async function measured(path) {
  const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(path)
  const used = blocks - bfree
  return {
    path,
    sizeBytes: blocks * bsize,
    availableBytes: bavail * bsize,
    usedPercent: percent(used, used + bavail),
    inodesUsedPercent: files === 0 ? null : percent(files - ffree, files),
  }
}

try {
  const { paths, maxPercent = 90 } = JSON.parse(process.argv[2] ?? '')
  const disks = await Promise.all(paths.map(measured))
  const isFull = ({ usedPercent, inodesUsedPercent }) => Math.max(usedPercent, inodesUsedPercent ?? 0) > maxPercent
  answer({ ok: true, full: disks.filter(isFull).map(({ path }) => path), disks })
} catch (error) {
  answer({ ok: false, error: error instanceof Error ? error.message : 'unknown' })
}
