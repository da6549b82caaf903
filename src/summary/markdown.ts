import { formatBytes, formatDuration } from '../report/format.ts'
import { hideSecrets } from '../report/secrets.ts'

/**
 * Markdown for GitHub. Texts of databases, manifests and programs become a part of it only through the functions of
 * this file, which escape them: a plain string is always text.
 */
export class Markdown {
  readonly #text: string

  constructor(trusted: string) {
    this.#text = trusted
  }

  toString(): string {
    return this.#text
  }
}

/** Text to be escaped, or Markdown to be kept. */
export type Content = Markdown | string

/** Control characters with terminal sequences, and those that change the direction of writing or cannot be seen. */
const INVISIBLE =
  /\u001b\[[0-?]*[ -/]*[@-~]|[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/g

/** One visible line, without secrets. Secrets are found before escaping changes how they are spelt. */
function visible(text: string): string {
  return hideSecrets(text)
    .replace(/[\t\r\n\v\f\u0085\u2028\u2029]+/g, ' ')
    .replace(INVISIBLE, '\ufffd')
}

/** Stops GitHub from reading a mention, an e-mail address or the number of an issue; it has no width. */
const BREAK = '&#8203;'

/**
 * The only way from text to Markdown: as prose, in a table or between HTML tags, it shows the same characters and
 * means nothing (CommonMark: 2.4 backslash escapes, 2.5 character references; GitHub Flavored Markdown: 4.10 tables, 6.9 autolinks).
 */
function escapeText(text: string): string {
  return visible(text)
    .trim()
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/[\\`*_[\]~$]/g, '\\$&')
    .replace(/@|#(?=\d)/g, `$&${BREAK}`)
    .replaceAll('|', '&#124;')
    .replace(/:(?=\/\/)/g, '\\:')
    .replace(/www\./gi, `$&${BREAK}`)
    .replace(/^(?:#{1,6}|[-+]|=+|-[- ]*)(?=\s|$)/, '\\$&')
    .replace(/^(\d+)([.)])(?=\s|$)/, '$1\\$2')
}

/** A template of Markdown in which strings and numbers are escaped as prose. */
export function md(parts: TemplateStringsArray, ...values: readonly (Content | number)[]): Markdown {
  return new Markdown(
    parts.map((part, index) => part + (index < values.length ? raw(values[index]!) : '')).join(''),
  )
}

function raw(content: Content | number): string {
  return content instanceof Markdown ? content.toString() : escapeText(String(content))
}

/** A text as code, such as a key or the name of a table. */
export function code(text: string): Markdown {
  const plain = visible(text)
  if (plain === '') return new Markdown('')
  // A code span keeps these, or a table takes them for its own.
  return new Markdown(/[`|\\]/.test(plain) ? `<code>${escapeText(plain)}</code>` : `\`${plain}\``)
}

/** A link when the address is one that cannot break out of Markdown, else its text alone: manifests may be altered. */
export function link(text: Content, url: string): Markdown {
  return /^https:\/\/[\w.:-]+\/[\w./?=&%+~-]*$/.test(url) ? md`[${text}](${new Markdown(url)})` : md`${text}`
}

/** Contents one after the other; those that are empty are left out. */
export function join(separator: string, contents: readonly Content[]): Markdown {
  const texts = contents.map(raw).filter((text) => text !== '')
  return new Markdown(texts.join(separator))
}

/** What one row of a table of facts says. */
export type Fact = readonly [name: string, value: Content]

/** That a step did not succeed at once. */
export function attemptsFact(attempts: number): Fact[] {
  return attempts === 1 ? [] : [['Attempts', `${attempts}; the log says why`]]
}

/** Two columns, the names in bold. The first fact is the heading of the table, because GitHub shows an empty one. */
export function facts([first, ...rest]: readonly [Fact, ...Fact[]]): Markdown {
  return table(
    [first[0], md`${first[1]}`],
    rest.map(([name, value]) => [md`**${name}**`, value]),
  )
}

/**
 * A table of contents that are escaped where they are text.
 *
 * @param head headings; a text that begins with `>` aligns its column to the right, as for numbers
 */
export function table(head: readonly Content[], rows: readonly (readonly Content[])[]): Markdown {
  const line = (cells: readonly Content[]) => `| ${cells.map(raw).join(' | ')} |`
  const isRight = (heading: Content) => typeof heading === 'string' && heading.startsWith('>')
  const headings = head.map((heading) => (isRight(heading) ? String(heading).slice(1) : heading))
  // GitHub centres a heading without an alignment.
  const rule = head.map((heading) => new Markdown(isRight(heading) ? '---:' : ':---'))
  return new Markdown([headings, rule, ...rows].map(line).join('\n'))
}

/** Lines as a block of code, in the colours of a language. No run of backticks in them ends it. */
export function fenced(language: string, text: string): Markdown {
  const lines = text.split('\n').map((line) => hideSecrets(line).replace(INVISIBLE, '\ufffd'))
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  return new Markdown(`${fence}${language}\n${lines.join('\n')}\n${fence}`)
}

/** Something long that opens on a click. */
export function folded(title: string, content: Markdown): Markdown {
  return md`<details><summary>${title}</summary>\n\n${content}\n\n</details>`
}

const BAR_LENGTH = 20

/** `███████`, as long as the share of the whole bar. */
export function bar(value: number, most: number): string {
  return '█'.repeat(Math.max(1, Math.round((value / most) * BAR_LENGTH)))
}

/** `1.2 GB in 12.3 s (98 MB/s)`. */
export function pace(bytes: number, milliseconds: number): string {
  const rate = milliseconds > 0 ? ` (${formatBytes((bytes / milliseconds) * 1000)}/s)` : ''
  return `${formatBytes(bytes)} in ${formatDuration(milliseconds)}${rate}`
}

/** `2026-11-24 02:17 UTC` from ISO 8601. */
export function moment(iso: string): string {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(iso)
    ? `${iso.slice(0, 16).replace('T', ' ')} UTC`
    : 'at an unknown time'
}
