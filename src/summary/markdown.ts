import { formatBytes, formatDuration } from '../report/format.ts'

/** A text of somebody else's (a key, a name) as code: it must become neither Markdown nor HTML. */
export function code(text: string): string {
  const plain = text
    .replace(/[\r\n]+/g, ' ')
    .replaceAll('|', '\\|')
    .replaceAll('`', "'")
  return plain === '' ? '' : `\`${plain}\``
}

/** A sentence as prose, in which nothing is Markdown or HTML. */
export function prose(text: string): string {
  return text.replace(/[\r\n]+/g, ' ').replace(/[\\`*_[\]<>&|~#@$]/g, '\\$&')
}

/** A link when the address is one that cannot break out of Markdown, else its text alone: manifests may be altered. */
export function link(text: string, url: string): string {
  return /^https:\/\/[\w.:-]+\/[\w./?=&%+~-]*$/.test(url) ? `[${text}](${url})` : text
}

/** What one row of a table of facts says. */
export type Fact = readonly [name: string, value: string]

/** That a step did not succeed at once. */
export function attemptsFact(attempts: number): Fact[] {
  return attempts === 1 ? [] : [['Attempts', `${attempts}; the log says why`]]
}

/** Two columns, the names in bold. The first fact is the heading of the table, because GitHub shows an empty one. */
export function facts([first, ...rest]: readonly [Fact, ...Fact[]]): string {
  return table(
    [first[0], first[1]],
    rest.map(([name, value]) => [`**${name}**`, value]),
  )
}

/** @param head texts of the columns; one that begins with `>` is aligned to the right, as numbers are; GitHub centres headings of no alignment */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const rule = head.map((text) => (text.startsWith('>') ? '---:' : ':---'))
  return [line(head.map((text) => text.replace(/^>/, ''))), line(rule), ...rows.map(line)].join('\n')
}

/** Something long that opens on a click. */
export function folded(title: string, content: string): string {
  return `<details><summary>${title}</summary>\n\n${content}\n\n</details>`
}

const BAR = 20

/** `███████`, as long as the share of the whole bar. */
export function bar(value: number, most: number): string {
  return '█'.repeat(Math.max(1, Math.round((value / most) * BAR)))
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
