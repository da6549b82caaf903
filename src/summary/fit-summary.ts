import { cutText } from '../report/fit-output.ts'
import { formatQuantity } from '../report/format.ts'

/** The runner uploads no larger summary of a step (actions/runner, FileCommandManager.cs: AttachmentSizeLimit). */
export const MAX_SUMMARY_BYTES = 1024 * 1024

/** Lines of a summary that belong together: the rows of one table, without its head, or what is between tables. */
type Part = { lines: string[]; isRows: boolean }

/**
 * Returns a summary of at most that many bytes. The largest tables lose their last rows, and a line says how many. What is
 * too long without any row ends earlier.
 */
export function fitSummary(markdown: string, limit: number): string {
  if (Buffer.byteLength(markdown) <= limit) return markdown
  const parts = splitAtTables(markdown.split('\n'))
  let excess = Buffer.byteLength(markdown) - limit
  const largestFirst = parts.filter(({ isRows }) => isRows).sort((a, b) => bytesOf(b) - bytesOf(a))
  for (const part of largestFirst) {
    if (excess <= 0) break
    excess -= dropRows(part, excess)
  }
  const text = parts.flatMap(({ lines }) => lines).join('\n')
  return Buffer.byteLength(text) <= limit ? text : cutAtLine(text, limit)
}

function bytesOf({ lines }: Part): number {
  return lines.reduce((sum, line) => sum + Buffer.byteLength(line) + '\n'.length, 0)
}

/** Begins or ends a block of code, in which lines with bars are not a table. */
const FENCE = /^(`{3,}|~{3,})/
/** The line between head and rows, as `table` writes it. */
const RULE = /^\| (:---|---:) \|/

function splitAtTables(lines: readonly string[]): Part[] {
  const parts: Part[] = [{ lines: [], isRows: false }]
  let fence: string | null = null
  for (const [index, line] of lines.entries()) {
    const mark = FENCE.exec(line)?.[1]
    if (mark && fence === null) fence = mark
    else if (fence !== null && line === fence) fence = null
    const current = parts.at(-1)!
    const isRow =
      fence === null && line.startsWith('|') && (current.isRows || RULE.test(lines[index - 1] ?? ''))
    if (isRow === current.isRows) current.lines.push(line)
    else parts.push({ lines: [line], isRows: isRow })
  }
  return parts
}

/**
 * Takes rows from the end of a table until it is that many bytes smaller, or empty.
 *
 * @returns how many bytes smaller it is
 */
function dropRows(part: Part, bytes: number): number {
  const before = bytesOf(part)
  const rows = part.lines
  const note = (dropped: number) => [
    '',
    `… and ${formatQuantity(dropped, 'more row')}, for which this summary has no room.`,
  ]
  let kept = rows.length
  let saved = -bytesOf({ lines: note(rows.length), isRows: false })
  while (kept > 0 && saved < bytes) {
    kept -= 1
    saved += Buffer.byteLength(rows[kept]!) + '\n'.length
  }
  part.lines = [...rows.slice(0, kept), ...note(rows.length - kept)]
  return before - bytesOf(part)
}

/** Ends a text at a line, says so, and closes the code and what is folded there. */
function cutAtLine(text: string, limit: number): string {
  const note = '\n\nThe rest is left out, because this summary has no room for it.\n\n'
  const room = limit - Buffer.byteLength(note) - CLOSING_BYTES
  if (room <= 0) return ''
  const beginning = cutText(text, room)
  const end = beginning.lastIndexOf('\n')
  const lines = (end < 0 ? beginning : beginning.slice(0, end)).split('\n')
  const fences = lines.map((line) => FENCE.exec(line)?.[1]).filter((mark) => mark !== undefined)
  const open = fences.length % 2 === 1 ? `\n${fences.at(-1)}` : ''
  const count = (mark: string) => lines.filter((line) => line.includes(mark)).length
  const folded = Math.min(3, Math.max(0, count('<details>') - count('</details>')))
  return `${lines.join('\n')}${open}${'\n\n</details>'.repeat(folded)}${note}`
}

/** Room for the end of a block of code and of three foldings. */
const CLOSING_BYTES = 200
