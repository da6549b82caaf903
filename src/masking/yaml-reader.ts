import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type ParsedNode, parseDocument } from 'yaml'
import { didYouMean } from '../inputs/nearest.ts'

/** One value of a mapping with its key. */
export type Entry = { line: number; key: string; value: Value }

/** A value of the file: a text, a list or a mapping. `null` is what YAML takes for null when it is not quoted. */
export type Value = { line: number } & (
  | { type: 'null' }
  | { type: 'text'; text: string }
  | { type: 'list'; items: readonly Value[] }
  | { type: 'mapping'; entries: readonly Entry[] }
  /** A value that has been reported already. */
  | { type: 'invalid' }
)

/**
 * Reads YAML with the line of every value, and collects problems. Every scalar is a text (YAML's failsafe schema). What
 * could make the file mean something else than it shows is refused: aliases, anchors, tags, merge keys.
 */
export class YamlReader {
  readonly root: Value
  readonly #lines = new LineCounter()
  readonly #problems: { line: number; text: string }[] = []

  constructor(text: string) {
    const document = parseDocument(text, {
      schema: 'failsafe',
      merge: false,
      uniqueKeys: false,
      prettyErrors: false,
      lineCounter: this.#lines,
    })
    for (const { code, message, pos } of document.errors) {
      const line = this.#lineAt(pos[0])
      const star = /^\s*(- *)?\*/.test(text.split('\n')[line - 1] ?? '')
      if (star) this.report(line, 'put a name that begins with * in quotes')
      else
        this.report(
          line,
          code === 'MULTIPLE_DOCS' ? 'a second document begins here' : `invalid YAML: ${message}`,
        )
    }
    const broken = document.errors.length > 0
    this.root = broken ? { line: 1, type: 'invalid' } : this.#value(document.contents, 1)
  }

  report(line: number, text: string): void {
    this.#problems.push({ line, text })
  }

  /** @throws an Error with every problem, in the order of lines */
  throwProblems(label: string): void {
    const problems = this.#problems.toSorted((a, b) => a.line - b.line)
    if (problems.length === 0) return
    throw new Error([`${label}:`, ...problems.map(({ line, text }) => `  line ${line}: ${text}`)].join('\n'))
  }

  /** Returns the entries of a mapping whose keys are all known, by key. */
  known<Key extends string>(value: Value, what: string, keys: readonly Key[]): Map<Key, Entry> {
    const found = new Map<Key, Entry>()
    for (const entry of this.entries(value, what)) {
      const key = keys.find((candidate) => candidate === entry.key)
      if (key) found.set(key, entry)
      else this.report(entry.line, `unknown key "${entry.key}" in ${what}${didYouMean(entry.key, keys)}`)
    }
    return found
  }

  /** Returns the entries of a mapping. A key that comes twice is a problem. */
  entries(value: Value, what: string): readonly Entry[] {
    if (value.type === 'invalid') return []
    if (value.type !== 'mapping') {
      this.report(value.line, `${what} must be a mapping`)
      return []
    }
    const lines = new Map<string, number>()
    return value.entries.filter(({ key, line }) => {
      const earlier = lines.get(key)
      if (earlier === undefined) lines.set(key, line)
      else this.report(line, `"${key}" is in line ${earlier} already`)
      return earlier === undefined
    })
  }

  /** Returns the texts of a list. */
  texts(value: Value, what: string): { line: number; text: string }[] {
    if (value.type === 'list')
      return value.items.flatMap((item) => this.text(item, `an item of ${what}`) ?? [])
    if (value.type !== 'invalid') this.report(value.line, `${what} must be a list, such as [a, b]`)
    return []
  }

  /** Returns a text with its line, or null after a report. */
  text(value: Value, what: string): { line: number; text: string } | null {
    if (value.type === 'text' && !value.text.includes('\0')) return value
    if (value.type === 'text') this.report(value.line, `${what} has a zero byte`)
    else if (value.type === 'null')
      this.report(value.line, `${what} has no value (a text such as null needs quotes)`)
    else if (value.type !== 'invalid') this.report(value.line, `${what} must be a text`)
    return null
  }

  #lineAt(offset: number): number {
    return this.#lines.linePos(offset).line
  }

  #value(node: ParsedNode | null, parentLine: number): Value {
    const line = node ? this.#lineAt(node.range[0]) : parentLine
    const trick = node && trickOf(node)
    if (trick) {
      this.report(line, trick)
      return { line, type: 'invalid' }
    }
    if (isMap<ParsedNode, ParsedNode | null>(node))
      return { line, type: 'mapping', entries: node.items.flatMap((pair) => this.#entry(pair)) }
    if (isSeq<ParsedNode>(node))
      return { line, type: 'list', items: node.items.map((item) => this.#value(item, line)) }
    if (!isScalar(node) || (node.type === 'PLAIN' && !node.source)) {
      this.report(line, 'a value is missing')
      return { line, type: 'invalid' }
    }
    if (node.type === 'PLAIN' && /^(null|Null|NULL|~)$/.test(node.source ?? '')) return { line, type: 'null' }
    return { line, type: 'text', text: String(node.value) }
  }

  #entry({ key, value }: { key: ParsedNode; value: ParsedNode | null }): Entry[] {
    const name = this.#value(key, 1)
    const read = this.#value(value, name.line)
    if (name.type === 'text' && name.text !== '<<') return [{ line: name.line, key: name.text, value: read }]
    // A column may be called "null", which as a key cannot mean anything else.
    if (name.type === 'null' && isScalar(key) && key.source)
      return [{ line: name.line, key: key.source, value: read }]
    if (name.type !== 'invalid')
      this.report(
        name.line,
        name.type === 'text' ? 'merge keys (<<) are not supported' : 'a key must be a text',
      )
    return []
  }
}

/** Returns why a node is refused regardless of its value, or null. */
function trickOf(node: Node): string | null {
  if (isAlias(node)) return 'aliases (*name) are not supported; put a name that begins with * in quotes'
  if ('anchor' in node && node.anchor) return 'anchors (&name) are not supported'
  return node.tag && !/^tag:yaml\.org,2002:(map|seq|str)$/.test(node.tag)
    ? `tags (${node.tag}) are not supported`
    : null
}
