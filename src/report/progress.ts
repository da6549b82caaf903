import { formatBytes, formatDuration } from './format.ts'
import { log } from './log.ts'

const OFTEN = 5_000
const SELDOM = 30_000
/** After this many lines a long transfer is reported less often. */
const PATIENCE = 12

/**
 * Logs a line every few seconds while a transfer runs.
 *
 * @param verb what is happening, `Dumped` or `Restored`
 * @param total bytes to expect, for the share, or null; the share is of an estimate and says so
 */
export function showProgress(
  verb: string,
  bytes: () => number,
  total: { bytes: number; of: string } | null,
): Disposable {
  const started = Date.now()
  let lastBytes = 0
  let lastTime = started
  let lines = 0
  let timer: NodeJS.Timeout
  const line = () => {
    const now = Date.now()
    const rate = ((bytes() - lastBytes) / (now - lastTime)) * 1000
    const share =
      total && total.bytes > 0
        ? `, ${Math.min(100, Math.round((bytes() / total.bytes) * 100))} % of ${total.of}`
        : ''
    log.info(
      `${verb} ${formatBytes(bytes())}${share}, ${formatBytes(rate)}/s, ${formatDuration(now - started)}`,
    )
    lastBytes = bytes()
    lastTime = now
    lines += 1
    timer = setTimeout(line, lines < PATIENCE ? OFTEN : SELDOM)
  }
  timer = setTimeout(line, OFTEN)
  return { [Symbol.dispose]: () => clearTimeout(timer) }
}
