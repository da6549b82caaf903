import { literal } from '../database/connection/literal.ts'
import { call, join } from './sql.ts'

/** The paths that stay, as a tree. A key without children stays with everything below it. */
type Tree = Map<string, Tree>

function treeOf(paths: readonly (readonly string[])[]): Tree {
  const root: Tree = new Map()
  // A shorter path covers the longer ones, so it comes last and takes their place.
  for (const path of paths.toSorted((a, b) => b.length - a.length)) {
    let tree = root
    for (const key of path.slice(0, -1)) {
      if (!tree.has(key)) tree.set(key, new Map())
      tree = tree.get(key)!
    }
    tree.set(path.at(-1)!, new Map())
  }
  return root
}

/**
 * Returns a json or jsonb value of which only the given paths stay. A path leads through arrays, whose elements are treated
 * alike. What is neither an object nor an array of objects becomes the null of JSON.
 */
export function jsonMask(
  kind: 'json' | 'jsonb',
  reference: string,
  paths: readonly (readonly string[])[],
): string {
  return keep(kind, reference, treeOf(paths), 0)
}

function keep(kind: string, value: string, tree: Tree, depth: number): string {
  const isArray = (json: string) => join('=', call(`${kind}_typeof`, json), "'array'")
  const [row, entry] = [`a${depth}`, `e${depth}`]
  // One value is treated as an array of one element, so that the objects below are written out only once.
  const elements = `CASE WHEN ${isArray(value)} THEN ${value} ELSE ${call(`${kind}_build_array`, value)} END`
  const kept = `CASE WHEN ${join('=', call(`${kind}_typeof`, `${row}.value`), "'object'")} THEN ${keepEntries(kind, row, entry, tree, depth)} ELSE ${constant(kind, 'null')} END`
  const all = `pg_catalog.${kind}_agg(${kept} ORDER BY ${row}.place)`
  const result = `CASE WHEN ${isArray(value)} THEN COALESCE(${all}, ${constant(kind, '[]')}) ELSE ${join('->', all, 0)} END`
  return `(SELECT ${result} FROM ${call(`${kind}_array_elements`, elements)} WITH ORDINALITY AS ${row}(value, place))`
}

function keepEntries(kind: string, row: string, entry: string, tree: Tree, depth: number): string {
  if (tree.size === 0) return constant(kind, '{}')
  const isKey = (key: string) => join('=', `${entry}.key`, literal(key))
  const values = [...tree].map(([key, below]) => {
    const value = below.size === 0 ? `${entry}.value` : keep(kind, `${entry}.value`, below, depth + 1)
    return `WHEN ${isKey(key)} THEN ${value}`
  })
  const entries = call(`${kind}_object_agg`, `${entry}.key`, `CASE ${values.join(' ')} END`)
  const known = [...tree.keys()].map(isKey).join(' OR ')
  return `COALESCE((SELECT ${entries} FROM ${call(`${kind}_each`, `${row}.value`)} AS ${entry}(key, value) WHERE ${known}), ${constant(kind, '{}')})`
}

function constant(kind: string, text: string): string {
  return `'${text}'::pg_catalog.${kind}`
}
