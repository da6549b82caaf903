import { didYouMean } from '../inputs/nearest.ts'
import { expressionProblem } from './one-expression.ts'
import { type MaskRule, SIMPLE_MASKS, type SimpleMask } from './rules.ts'
import type { Entry, Value, YamlReader } from './yaml-reader.ts'

/** Masks that are keyed, and so have a domain. */
const KEYED: ReadonlySet<SimpleMask> = new Set(['email', 'name', 'digits', 'token', 'uuid', 'text'])

/** Keys of which a rule written as a mapping has exactly one. */
const FORMS = ['mask', 'value', 'json', 'sql'] as const

/** Reads the rule of one column, such as `email`, `null` or `{mask: token, domain: person}`. */
export function readColumnRule(reader: YamlReader, { line, key, value }: Entry): MaskRule | null {
  const shared = { line, domain: '' }
  if (value.type === 'mapping') return readMapping(reader, line, key, value)
  const mask = readMask(reader, value, key)
  return mask && { ...shared, mask }
}

function readMapping(reader: YamlReader, line: number, column: string, value: Value): MaskRule | null {
  const parts = reader.known(value, `the rule of "${column}"`, [...FORMS, 'domain'])
  const forms = FORMS.filter((form) => parts.has(form))
  const [form] = forms
  if (!form || forms.length > 1) {
    reader.report(line, `the rule of "${column}" must have exactly one of ${FORMS.join(', ')}`)
    return null
  }
  const given = parts.get(form)!.value
  const rule = readForm(reader, form, given, column)
  const domain = parts.get('domain')
  const name = domain && reader.text(domain.value, `"domain" of "${column}"`)
  if (name?.text === '') reader.report(name.line, `"domain" of "${column}" is empty`)
  if (domain && rule && !isKeyed(rule.mask))
    reader.report(domain.line, `"domain" means nothing to ${rule.mask}, which does not depend on the value`)
  return rule && ({ line, domain: name?.text ?? '', ...rule } as MaskRule)
}

/** Whether a mask is made from the value and the key. */
function isKeyed(mask: MaskRule['mask']): boolean {
  return (KEYED as ReadonlySet<string>).has(mask)
}

type Form =
  | { mask: SimpleMask }
  | { mask: 'value'; value: string }
  | { mask: 'json'; paths: string[][] }
  | { mask: 'sql'; expression: string }

function readForm(
  reader: YamlReader,
  form: (typeof FORMS)[number],
  value: Value,
  column: string,
): Form | null {
  if (form === 'mask') {
    const mask = readMask(reader, value, column)
    return mask && { mask }
  }
  if (form === 'json') {
    const paths = reader.texts(value, `"json" of "${column}"`)
    return {
      mask: 'json',
      paths: paths.flatMap(({ line, text }) => {
        const path = readPath(reader, line, text)
        return path ? [path] : []
      }),
    }
  }
  const text = reader.text(value, `"${form}" of "${column}"`)
  if (!text) return null
  if (form === 'value') return { mask: 'value', value: text.text }
  const problem = expressionProblem(text.text)
  if (problem) reader.report(text.line, `"sql" of "${column}" ${problem}; it must be one SQL expression`)
  return { mask: 'sql', expression: text.text }
}

/** What people write for a mask that needs more than a word, or that is not one. */
const HINTS: Readonly<Record<string, string>> = {
  keep: 'list the column under keep',
  value: 'write {value: …}',
  json: 'write {json: [paths that stay]}',
  sql: 'write {sql: …}',
}

function readMask(reader: YamlReader, value: Value, column: string): SimpleMask | null {
  if (value.type === 'invalid') return null
  const word = value.type === 'null' ? 'null' : value.type === 'text' ? value.text : null
  const mask = SIMPLE_MASKS.find((candidate) => candidate === word)
  if (mask) return mask
  const known = `known are ${SIMPLE_MASKS.join(', ')}, value, json and sql`
  const hint = Object.hasOwn(HINTS, word ?? '') ? HINTS[word!] : known
  if (word === null)
    reader.report(value.line, `the mask of "${column}" must be a word or a mapping; ${known}`)
  else
    reader.report(
      value.line,
      `"${word}" is not a mask for "${column}"${didYouMean(word, SIMPLE_MASKS)}; ${hint}`,
    )
  return null
}

/** Reads a path such as `notifications.email`. A key with a dot is quoted: `"a.b".c`. */
function readPath(reader: YamlReader, line: number, text: string): string[] | null {
  const keys = [...text.matchAll(/(?:^|\.)(?:"((?:[^"]|"")*)"|([^".]+))/gy)]
  const length = keys.reduce((sum, [whole]) => sum + whole.length, 0)
  if (text === '' || length !== text.length) {
    reader.report(line, `${JSON.stringify(text)} is not a path such as theme or notifications.email`)
    return null
  }
  return keys.map(([, quoted, bare]) => bare ?? quoted!.replaceAll('""', '"'))
}
