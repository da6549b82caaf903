import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { marked } from 'marked'
import { HOSTILE, hostile } from '../../../lab/hostile-texts.ts'
import { rememberSecret } from '../../../src/report/secrets.ts'
import { code, join, link, type Markdown, md, table } from '../../../src/summary/markdown.ts'

const render = (markdown: Markdown) => marked.parse(String(markdown), { async: false, gfm: true }).trim()

/** The characters of a piece of HTML that has no elements. */
function charactersOf(html: string): string {
  assert.doesNotMatch(html, /[<>]/, 'an element')
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"' }
  return html
    .replace(/&(?:#(\d+)|(\w+));/g, (_, number, name) =>
      number ? String.fromCodePoint(+number) : named[name]!,
    )
    .replaceAll('\u200b', '')
}

/** What a reader should see of a text. */
function shown(text: string): string {
  return text
    .replace(/[\t\r\n\v\f\u0085\u2028\u2029]+/g, ' ')
    .replace(
      /\u001b\[[0-?]*[ -/]*[@-~]|[\p{Cc}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/gu,
      '\ufffd',
    )
}

/** Pieces that Markdown or GitHub gives a meaning to, at the beginning of a block and elsewhere. */
const SYNTAX = [
  ...[
    '# ',
    '###### x',
    '- ',
    '-',
    '---',
    '- - -',
    '* ',
    '***',
    '+ ',
    '===',
    '1. ',
    '1) ',
    '    x',
    '\t',
    '> ',
    '```',
    '~~~',
  ],
  ...[
    '`',
    '``',
    '|',
    '\\|',
    '\\',
    '|---|',
    ':---:',
    '[x](javascript:alert(1))',
    '![x](https://x/y.png)',
    '[x]: /y',
    '[^1]',
    '[ ] ',
  ],
  ...[
    '<b>',
    '</td>',
    '<img src=x onerror=y>',
    '<!--',
    '-->',
    '<?',
    '<![CDATA[',
    '<https://x>',
    '<details>',
    '&lt;',
    '&#60;',
    '&',
    '\n\n',
  ],
  ...[
    'https://evil.example/x',
    'http://x',
    'ftp://x',
    'www.evil.example',
    'me@evil.example',
    'mailto:me@x.example',
    '@octocat',
    '#1',
    'GH-1',
  ],
  ...[
    '$x$',
    '$$',
    '~x~',
    '~~',
    '__',
    '_x_',
    '**x**',
    ':smile:',
    '\u001b[31m',
    '\u202e',
    '\u2028',
    ' ',
    '  ',
    'x',
    '1',
  ],
]
const anyText = fc.oneof(
  hostile().filter((text) => text.length < 500),
  fc
    .array(fc.oneof(fc.constantFrom(...SYNTAX), fc.string({ maxLength: 5 })), { maxLength: 8 })
    .map((all) => all.join('')),
)
const trimmed = (text: string) => shown(text).trim()

function checkText(text: string): void {
  const prose = /^(?:<p>([\s\S]*)<\/p>)?$/.exec(render(md`${text}`))
  assert.ok(prose, 'not a single paragraph')
  assert.equal(charactersOf(prose[1] ?? ''), trimmed(text))

  const quoted = /^<blockquote>\s*(?:<p>([\s\S]*)<\/p>)?\s*<\/blockquote>$/.exec(render(md`> ${text}`))
  assert.ok(quoted, 'not a single quotation')
  assert.equal(charactersOf(quoted[1] ?? ''), trimmed(text))

  const heading = /^<h3>x (?:<code>([^<]*)<\/code>)? y<\/h3>$/.exec(render(md`### x ${code(text)} y`))
  assert.ok(heading, 'not a heading with code')
  assert.equal(charactersOf(heading[1] ?? '').trim(), trimmed(text))
}

function checkTable(text: string): void {
  const html = render(
    table(
      ['>Name', text],
      [
        [text, code(text)],
        ['last', 'row'],
      ],
    ),
  )
  const cells = [...html.matchAll(/<t([hd])(?: [^>]*)?>([\s\S]*?)<\/t\1>/g)].map(([, , content]) => content!)
  assert.equal(cells.length, 6)
  const [name, head, prose, codeCell, ...last] = cells as [string, string, string, string, string, string]
  assert.deepEqual([name, ...last], ['Name', 'last', 'row'])
  assert.equal(charactersOf(prose), trimmed(text))
  if (!text.startsWith('>')) assert.equal(charactersOf(head), trimmed(text))
  const content = /^(?:<code>([^<]*)<\/code>)?$/.exec(codeCell)
  assert.ok(content, 'not a single piece of code')
  assert.equal(charactersOf(content[1] ?? '').trim(), trimmed(text))
}

test('every text is shown by a Markdown renderer as it is, and means nothing: in prose, quotations, headings, code and tables', () => {
  for (const text of [...HOSTILE.filter(({ length }) => length < 500), ...SYNTAX]) {
    checkText(text)
    checkTable(text)
  }
  fc.assert(
    fc.property(anyText, (text) => {
      checkText(text)
      checkTable(text)
    }),
    { numRuns: 1000 },
  )
})

test('GitHub reads neither a mention nor an e-mail address nor an issue in a text', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const outsideOfCode = String(md`${text}`)
      assert.doesNotMatch(outsideOfCode, /@(?!&#8203;)|(?<!&)#\d|(?<!\\):\/\/|www\.(?!&)/i)
    }),
  )
})

test('ordinary text is easy to read in its source', () => {
  assert.equal(String(md`${'It is gone (1.5 GB); see the log'}`), 'It is gone (1.5 GB); see the log')
  assert.equal(String(code('shop/app/none/2026.dump')), '`shop/app/none/2026.dump`')
  assert.equal(String(code('')), '')
  assert.equal(String(join(', ', ['a', '', code('b')])), 'a, `b`')
})

test('a secret is hidden before escaping changes how it is spelt', () => {
  rememberSecret('pa<ss>|w*rd')
  for (const text of [String(md`${'it was pa<ss>|w*rd'}`), String(code('x pa<ss>|w*rd'))])
    assert.doesNotMatch(text, /pa|rd/)
})

test('only an address that cannot break out of Markdown becomes a link', () => {
  const run = 'https://github.com/o/r/actions/runs/1'
  assert.equal(String(link('run', run)), `[run](${run})`)
  for (const url of ['', 'javascript:alert(1)', 'https://x/)[y](https://z', 'https://x/ y', 'http://x/'])
    assert.equal(String(link('run', url)), 'run')
})
