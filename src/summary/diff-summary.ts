/** The summary of a comparison of two schemas. */
import type { Difference } from '../comparing/compare-schemas.ts'
import { relationName } from '../relation.ts'
import { formatCount, formatDuration, formatQuantity } from '../report/format.ts'
import { attemptsFact, code, facts, fenced, folded, join, type Markdown, md, table } from './markdown.ts'

type DiffFacts = {
  before: string
  after: string
  differences: readonly Difference[]
  /** How many objects `after` has. */
  objects: number
  durationMs: number
  attempts: number
}

const SIGNS = { added: 'added', gone: md`**gone**`, changed: 'changed' } as const

/** Shows each difference in a row, and the text of as many as there is room for. */
export function diffSummary(found: DiffFacts): Markdown {
  const { before, after, differences, objects, durationMs, attempts } = found
  const title =
    differences.length === 0
      ? md`### ✅ The schemas are the same`
      : md`### ⚠️ ${formatQuantity(differences.length, 'object')} ${differences.length === 1 ? 'differs' : 'differ'}`
  const overview = facts([
    ['Database', code(after)],
    ['Compared with', code(before)],
    ['Objects', formatCount(objects)],
    ['Duration', formatDuration(durationMs)],
    ...attemptsFact(attempts),
  ])
  if (differences.length === 0) return join('\n\n', [title, overview])
  const rows = differences.map((difference) => [
    SIGNS[difference.change],
    code(difference.type),
    code(nameOf(difference)),
  ])
  return join('\n\n', [title, overview, table(['Change', 'Kind', 'Name'], rows), ...texts(differences)])
}

function nameOf({ schema, name }: Difference): string {
  return schema === '' ? name : relationName({ schema, name })
}

/** Half of what GitHub takes: the rest is for the rows, and for what other parts of the step write. */
const MAX_TEXT_BYTES = 512 * 1024

/** Returns the unified diff of each object, until there is no room. */
function texts(differences: readonly Difference[]): Markdown[] {
  const parts: Markdown[] = []
  let room = MAX_TEXT_BYTES
  let leftOut = 0
  for (const difference of differences) {
    const { change, type, diff } = difference
    const text =
      diff === null ? md`Its definition is not shown, because it may hold a password.` : fenced('diff', diff)
    const part = folded(`${change}: ${type} ${nameOf(difference)}`, text)
    const bytes = Buffer.byteLength(String(part))
    if (bytes > room) leftOut += 1
    else {
      parts.push(part)
      room -= bytes
    }
  }
  const note = md`The texts of ${formatQuantity(leftOut, 'more object')} have no room here; the output ${code('differences')} or its file has them.`
  return leftOut === 0 ? parts : [...parts, note]
}
