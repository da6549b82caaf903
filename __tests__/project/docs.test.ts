import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { root } from '../../lab/runner/action-inputs.ts'

const read = (path: string) => readFileSync(join(root, path), 'utf8')
const pages = globSync('{*,docs/*}.md', { cwd: root })

/** Targets of Markdown links and pictures that are no web pages, as paths from the root with their `#anchor`. */
function linksOf(page: string): string[] {
  const text = read(page).replace(/^```[\s\S]*?^```/gm, '')
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"/g)].map(([, a, b]) => (a ?? b)!)
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) =>
      target.startsWith('#') ? page + target : relative(root, join(root, dirname(page), target)),
    )
}

/** Anchors of the headings, as GitHub makes them. */
function anchorsOf(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

test('every link leads somewhere', () => {
  for (const page of pages) {
    for (const link of linksOf(page)) {
      const [path = '', anchor] = link.split('#')
      assert.ok(existsSync(join(root, path)), `${page} links to ${link}`)
      if (anchor) assert.ok(anchorsOf(path).includes(anchor), `${page} links to ${link}`)
    }
  }
})

test('every page, picture and example is reached from the README', () => {
  const reached = new Set<string>()
  const visit = (path: string) => {
    if (reached.has(path)) return
    reached.add(path)
    if (path.endsWith('.md')) for (const link of linksOf(path)) visit(link.split('#')[0]!)
  }
  visit('README.md')
  const all = globSync('{*.md,docs/**/*.*,examples/*.*}', { cwd: root })
  assert.deepEqual(
    all.filter((path) => !reached.has(path)),
    [],
  )
})

/** A page without code, and without what a script writes. */
function proseOf(page: string): string {
  const text = read(page)
  if (/^<!-- Written by/.test(text)) return ''
  return text
    .replace(/^```[\s\S]*?^```/gm, '')
    .replace(/^<!-- ([\w-]+)(?:: generated)? -->[\s\S]*?^<!-- \/\1 -->/gm, '')
}

test('prose is wrapped at 120 characters', () => {
  const isProse = (line: string) => !/^(\||#| *<)/.test(line)
  const long = pages.flatMap((page) =>
    proseOf(page)
      .split('\n')
      .filter((line) => line.length > 120 && isProse(line))
      .map((line) => `${page}: ${line}`),
  )
  assert.deepEqual(long, [])
})

test('every file and folder that a page names exists', () => {
  const named = /`((?:(?:src|lab|bench|__tests__)\/[\w./-]*|scripts\/[\w./-]*\.ts))`/g
  for (const page of pages) {
    const paths = [...read(page).matchAll(named)].map(([, path]) => path!)
    const missing = paths.filter((path) => !existsSync(join(root, path)))
    assert.deepEqual(missing, [], page)
  }
})

test('the architecture lists every folder of the sources, of the laboratory and of the tests', () => {
  const text = read('docs/architecture.md')
  const folders = globSync('{src,lab}{,/*,/*/*}/*.ts', { cwd: root }).map(dirname)
  const tests = globSync('__tests__/*', { cwd: root })
  const missing = new Set([...folders, ...tests].filter((folder) => !text.includes(`| \`${folder}/\` |`)))
  assert.deepEqual([...missing], [])
})

test('every script of package.json is explained where contributors look', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const text = read('CONTRIBUTING.md')
  const named = (name: string) => new RegExp(`npm (?:run )?${name}(?![\\w:-])`).test(text)
  // npm runs this one by itself; the first step of the page says what it does.
  const silent = Object.keys(scripts).filter((name) => name !== 'prepare' && !named(name))
  assert.deepEqual(silent, [])
})

/** All texts of the sources, with what is put into them as `…`. */
const messages = globSync('src/**/*.ts', { cwd: root })
  .map(read)
  .join('\n')
  .replace(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '…')
  .replaceAll("\\'", "'")

/** The literal pieces of a quoted message. An input's name and the first words before a colon are put in by the code. */
function piecesOf(sentence: string): string[] {
  return sentence
    .replace(/^Input [a-z0-9-]+ /, '')
    .split('…')
    .map((piece) => piece.replace(/^: |:$/g, '').trim())
    .filter((piece) => /[a-z]{3}/.test(piece))
}

/** The messages that the tables of a page quote, in one of its sections or in all. */
function quotedIn(page: string, section = /^/): string[] {
  const text = read(page)
    .split(/^(?=## )/m)
    .filter((part) => section.test(part))
    .join('')
  return [...text.matchAll(/^\| `([^`]+)` \|/gm)].map(([, sentence]) => sentence!)
}

test('the troubleshooting quotes messages that exist', () => {
  const refusals = quotedIn('docs/masking.md', /^## Refusals/)
  assert.ok(refusals.length > 10)
  const quoted = [...quotedIn('docs/troubleshooting.md'), ...refusals]
  assert.ok(quoted.length > 50)
  const missing = quoted.filter((sentence) => !piecesOf(sentence).every((piece) => messages.includes(piece)))
  assert.deepEqual(missing, [])
})
