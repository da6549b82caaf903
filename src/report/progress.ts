import { formatBytes, formatCount, formatDuration, formatQuantity } from './format.ts'
import { log } from './log.ts'

/** Returns the milliseconds until the next line: short at first, then minutes, by the number of lines so far. */
function interval(lines: number): number {
  if (lines < SHORT_INTERVALS) return 5_000
  return lines < 72 ? 30_000 : 300_000
}

/** How many lines follow each other closely. */
const SHORT_INTERVALS = 12

/** Logs a line at growing intervals until it is disposed of. `lines` is where on the scale of intervals it starts. */
function logRepeatedly(line: () => string, lines = 0): Disposable {
  let count = lines
  let timer: NodeJS.Timeout
  const schedule = () => {
    timer = setTimeout(() => {
      log.info(line())
      count += 1
      schedule()
    }, interval(count))
  }
  schedule()
  return { [Symbol.dispose]: () => clearTimeout(timer) }
}

export type Progress = {
  /** `Dumped` or `Restored`. */
  verb: string
  /** Bytes so far. */
  bytes: () => number
  /** Expected bytes and what they are a share of. It is an estimate, and the line says so. */
  total: { bytes: number; of: string } | null
  /** What is being transferred right now, such as a table and its rows. */
  detail?: () => string
}

/** Logs the progress of a transfer until it is disposed of. */
export function showProgress({ verb, bytes, total, detail }: Progress): Disposable {
  const started = Date.now()
  let last = { bytes: 0, time: started }
  return logRepeatedly(() => {
    const now = { bytes: bytes(), time: Date.now() }
    const rate = ((now.bytes - last.bytes) / (now.time - last.time)) * 1000
    const share =
      total && total.bytes > 0
        ? `, about ${Math.min(100, Math.round((now.bytes / total.bytes) * 100))} % of ${total.of}`
        : ''
    const current = detail?.() ?? ''
    last = now
    return `${verb} ${formatBytes(now.bytes)}${share}, ${formatBytes(rate)}/s, ${formatDuration(now.time - started)}${current && `; ${current}`}`
  })
}

/** Logs now and then that `what` is still running. It has no progress to show, so it starts with the longer intervals. */
export function showWait(what: string): Disposable {
  const started = Date.now()
  return logRepeatedly(() => `${what}, ${formatDuration(Date.now() - started)}`, SHORT_INTERVALS)
}

type Tables = { table: string | null; tableRows: number; tableBytes: number }

/** `public.events 1.2 M rows, 310 MB`. */
export function tableProgress({ table, tableRows, tableBytes }: Tables): string {
  return table === null ? '' : `${table} ${formatCount(tableRows)} rows, ${formatBytes(tableBytes)}`
}

/** `12 tables with 1,234 rows`. */
export function describeRows({ tables, rows }: { tables: readonly unknown[]; rows: number | null }): string {
  return `${formatQuantity(tables.length, 'table')} with ${rows === null ? 'an unknown number of rows' : formatQuantity(rows, 'row')}`
}
