import { formatBytes, formatCount, formatDuration, formatQuantity } from './format.ts'
import { log } from './log.ts'

/** How long until the next line, by the lines so far: a minute of close watching, half an hour of looking in, then hours. */
function pause(lines: number): number {
  if (lines < 12) return 5_000
  return lines < 72 ? 30_000 : 300_000
}

export type Progress = {
  /** `Dumped` or `Restored`. */
  verb: string
  /** Bytes so far. */
  bytes: () => number
  /** Bytes to expect and of what, for a share; it is an estimate and the line says so. */
  total: { bytes: number; of: string } | null
  /** What is under way right now, such as a table and its rows. */
  detail?: () => string
}

/** Logs a line every few seconds while a transfer runs. */
export function showProgress({ verb, bytes, total, detail }: Progress): Disposable {
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
        ? `, about ${Math.min(100, Math.round((bytes() / total.bytes) * 100))} % of ${total.of}`
        : ''
    const current = detail?.() ?? ''
    log.info(
      `${verb} ${formatBytes(bytes())}${share}, ${formatBytes(rate)}/s, ${formatDuration(now - started)}${current && `; ${current}`}`,
    )
    lastBytes = bytes()
    lastTime = now
    lines += 1
    timer = setTimeout(line, pause(lines))
  }
  timer = setTimeout(line, pause(lines))
  return { [Symbol.dispose]: () => clearTimeout(timer) }
}

/** Logs now and then that something without a visible progress is still at work. */
export function showWait(what: string): Disposable {
  const started = Date.now()
  // Nobody watches this closely: it moves in steps that nobody sees.
  let lines = 12
  let timer: NodeJS.Timeout
  const line = () => {
    log.info(`${what}, ${formatDuration(Date.now() - started)}`)
    lines += 1
    timer = setTimeout(line, pause(lines))
  }
  timer = setTimeout(line, pause(lines))
  return { [Symbol.dispose]: () => clearTimeout(timer) }
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
