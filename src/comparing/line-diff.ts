/** A line of a comparison: kept, removed or added. */
type Line = { sign: ' ' | '-' | '+'; text: string }

/** How many pairs of lines are compared at most; beyond that, everything between the first and the last change is replaced. */
const MAX_PAIRS = 1_000_000

/** Unchanged lines around a change. */
const CONTEXT = 3

/** Returns the unified diff of two texts, without the lines that name files; empty if they are the same. */
export function unifiedDiff(before: string, after: string): string {
  const lines = compareLines(linesOf(before), linesOf(after))
  return hunksOf(lines)
    .map(
      ({ start, end }) =>
        `${positionOf(lines, start, end)}\n${lines.slice(start, end).map(write).join('\n')}`,
    )
    .join('\n')
}

const linesOf = (text: string) => (text === '' ? [] : text.split('\n'))
const write = ({ sign, text }: Line) => sign + text

/** Where a hunk is in both texts, such as `@@ -1,4 +1,5 @@`. */
function positionOf(lines: readonly Line[], start: number, end: number): string {
  const count = (part: readonly Line[], without: Line['sign']) =>
    part.filter(({ sign }) => sign !== without).length
  const [earlier, own] = [lines.slice(0, start), lines.slice(start, end)]
  const range = (without: Line['sign']) => {
    const length = count(own, without)
    return `${count(earlier, without) + (length === 0 ? 0 : 1)},${length}`
  }
  return `@@ -${range('+')} +${range('-')} @@`
}

/** Returns the ranges of changed lines with their context; ranges that meet are one. */
function hunksOf(lines: readonly Line[]): { start: number; end: number }[] {
  const hunks: { start: number; end: number }[] = []
  for (const [index, { sign }] of lines.entries()) {
    if (sign === ' ') continue
    const start = Math.max(0, index - CONTEXT)
    const end = Math.min(lines.length, index + 1 + CONTEXT)
    const last = hunks.at(-1)
    if (last && start <= last.end) last.end = end
    else hunks.push({ start, end })
  }
  return hunks
}

function compareLines(before: readonly string[], after: readonly string[]): Line[] {
  let start = 0
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1
  let end = 0
  const most = Math.min(before.length, after.length) - start
  while (end < most && before.at(-1 - end) === after.at(-1 - end)) end += 1
  const kept = (lines: readonly string[]) => lines.map((text): Line => ({ sign: ' ', text }))
  const changed = compareMiddle(
    before.slice(start, before.length - end),
    after.slice(start, after.length - end),
  )
  return [...kept(before.slice(0, start)), ...changed, ...kept(before.slice(before.length - end))]
}

/** Compares by the longest common subsequence. */
function compareMiddle(before: readonly string[], after: readonly string[]): Line[] {
  const replaced = (sign: '-' | '+', lines: readonly string[]) => lines.map((text): Line => ({ sign, text }))
  if (before.length * after.length > MAX_PAIRS) return [...replaced('-', before), ...replaced('+', after)]
  const common = commonLengths(before, after)
  const lines: Line[] = []
  let [i, j] = [0, 0]
  while (i < before.length && j < after.length) {
    if (before[i] === after[j]) {
      lines.push({ sign: ' ', text: before[i]! })
      i += 1
      j += 1
    } else if (common[i + 1]![j]! >= common[i]![j + 1]!) lines.push({ sign: '-', text: before[i++]! })
    else lines.push({ sign: '+', text: after[j++]! })
  }
  return [...lines, ...replaced('-', before.slice(i)), ...replaced('+', after.slice(j))]
}

/** Returns how many lines the rests from each pair of positions have in common. */
function commonLengths(before: readonly string[], after: readonly string[]): Uint32Array[] {
  const lengths = Array.from({ length: before.length + 1 }, () => new Uint32Array(after.length + 1))
  for (let i = before.length - 1; i >= 0; i -= 1)
    for (let j = after.length - 1; j >= 0; j -= 1)
      lengths[i]![j] =
        before[i] === after[j]
          ? lengths[i + 1]![j + 1]! + 1
          : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!)
  return lengths
}
