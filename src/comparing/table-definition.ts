/** A `CREATE TABLE` statement: what is before its columns, its columns and constraints, and what follows. */
type TableDefinition = { head: string; items: readonly string[]; tail: string }

/**
 * Returns the definition of a table with its columns and constraints in the order of another one; those that the other
 * does not have come last. Migrations that ran in another order leave the same table with another order of columns.
 */
export function inOrderOf(definition: string, other: string): string {
  const table = splitTable(definition)
  const model = splitTable(other)
  if (!table || !model) return definition
  const places = new Map(model.items.map((item, place) => [nameOf(item), place]))
  const placeOf = (item: string) => places.get(nameOf(item)) ?? places.size
  const items = table.items
    .map((item, index) => ({ item, index, place: placeOf(item) }))
    .sort((a, b) => a.place - b.place || a.index - b.index)
  return `${table.head}${items.map(({ item }) => item).join(',')}${table.tail}`
}

/** Returns what is common to a column and to its changed form: its name, or `CONSTRAINT` with the name. */
function nameOf(item: string): string {
  const [name = ''] = /^\s*(?:CONSTRAINT\s+)?(?:"(?:[^"]|"")+"|\S+)/.exec(item) ?? []
  return name.trim()
}

/** Splits at the commas between columns. @returns null if the statement has no list of columns */
function splitTable(definition: string): TableDefinition | null {
  const open = openingOf(definition)
  if (open === null) return null
  const items: string[] = []
  let depth = 1
  let start = open + 1
  for (const { index, character } of outsideOfQuotes(definition, start)) {
    if (character === '(') depth += 1
    if (character === ')') depth -= 1
    if (depth > 1 || (character === ',') === (character === ')')) continue
    if (character === ',' || depth === 0) {
      items.push(definition.slice(start, index))
      start = index + 1
    }
    if (depth === 0)
      return withoutLastBreak({ head: definition.slice(0, open + 1), items, tail: definition.slice(index) })
  }
  return null
}

/** The line break before the closing parenthesis belongs to the tail, so that any column can be the last one. */
function withoutLastBreak({ head, items, tail }: TableDefinition): TableDefinition {
  const last = items.at(-1)!
  const bare = last.trimEnd()
  return { head, items: [...items.slice(0, -1), bare], tail: last.slice(bare.length) + tail }
}

/** Returns the position of the parenthesis that opens the list of columns. */
function openingOf(definition: string): number | null {
  for (const { index, character } of outsideOfQuotes(definition, 0)) {
    if (character === '(') return index
    if (character === ';') return null
  }
  return null
}

/** Yields the characters that are not part of a quoted name or string. A doubled quote ends and begins one, which is the same. */
function* outsideOfQuotes(text: string, start: number): Generator<{ index: number; character: string }> {
  for (let index = start; index < text.length; index += 1) {
    const character = text[index]!
    if (character !== '"' && character !== "'") {
      yield { index, character }
      continue
    }
    const escapes = character === "'" && text[index - 1] === 'E'
    index += 1
    while (index < text.length && text[index] !== character) index += escapes && text[index] === '\\' ? 2 : 1
  }
}
