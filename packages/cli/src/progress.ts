import type { TransferProgress } from '@cmdop/core'
import { printable } from './terminal.ts'

/** Milliseconds between two pictures of the same line. */
const EVERY_MS = 200

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** A line that says how far a transfer is. */
export interface ProgressLine {
  readonly update: (progress: TransferProgress) => void
  /** Removes the line. */
  end(): void
}

/** Draws on a terminal; undefined where nobody looks. */
export function showProgress(stream: NodeJS.WriteStream): ProgressLine | undefined {
  if (!stream.isTTY) return undefined
  const startedAt = performance.now()
  let drawnAt = Number.NEGATIVE_INFINITY
  return {
    update: (progress) => {
      const now = performance.now()
      if (now - drawnAt < EVERY_MS) return
      drawnAt = now
      const line = formatProgress(progress, now - startedAt)
      stream.write(
        `\r\u001b[K${Array.from(line)
          .slice(0, Math.max(10, stream.columns - 1))
          .join('')}`,
      )
    },
    end: () => void stream.write('\r\u001b[K'),
  }
}

/** `12 %  120 MB of 1 GB  98.1 MB/s  3 of 10 files  path` */
export function formatProgress(progress: TransferProgress, elapsedMs: number): string {
  const { bytes, totalBytes, files, totalFiles, path } = progress
  const percent = totalBytes === 0 ? 100 : Math.floor((100 * bytes) / totalBytes)
  const speed = formatBytes(elapsedMs === 0 ? 0 : (bytes * 1000) / elapsedMs)
  const count = totalFiles === 1 ? [] : [`${files} of ${totalFiles} files`]
  const parts = [`${percent} %`, `${formatBytes(bytes)} of ${formatBytes(totalBytes)}`, `${speed}/s`, ...count]
  return printable([...parts, path.replaceAll('\n', ' ')].join('  '))
}

function formatBytes(bytes: number): string {
  let unit = 0
  let amount = bytes
  for (; amount >= 1000 && unit < UNITS.length - 1; unit += 1) amount /= 1000
  return `${amount.toFixed(amount < 10 && unit > 0 ? 1 : 0)} ${UNITS[unit]}`
}
