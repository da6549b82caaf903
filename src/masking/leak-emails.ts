import {
  BACKSLASH,
  characterBefore,
  DASH,
  DOT,
  eachOccurrence,
  type Found,
  isWord,
  type LeakWindow,
  NOT_ASCII,
} from './leak-window.ts'

/** An at sign in text, in a URL and in JSON. */
const AT_SIGNS = [
  { needle: 0x40, length: 1 },
  { needle: Buffer.from('%40'), length: 3 },
  { needle: Buffer.from('\\u0040'), length: 6 },
]

/** The length of a domain in RFC 1035, and what it may take when every character is escaped. */
const LONGEST_DOMAIN = 255
const LONGEST_ESCAPED_DOMAIN = 2048
const LONGEST_LABEL = 63
const MOST_BACKSLASHES = 7

/** Names that RFC 2606 and RFC 6761 reserve, so that they belong to nobody. */
const EXAMPLE_TOPS = new Set(['example', 'test', 'invalid', 'localhost'])
const EXAMPLE_DOMAINS = new Set(['example.com', 'example.net', 'example.org'])

/** Suffixes of file names that are not top-level domains: `logo@2x.png` is not an address, `a@b.com.pdf` holds one. */
const FILE_SUFFIX =
  /^(?:avif|bmp|css|csv|docx?|eml|gif|gz|heic|html?|ico|ics|jpe?g|js|json|log|pdf|php|png|pptx?|svg|tar|tiff?|ts|txt|vcf|webp|xlsx?|xml|ya?ml)$/

/** An ASCII top-level domain ends before a letter of another script: Chinese and Japanese sentences have no spaces. */
const TOP = /^(?:xn--[a-z0-9-]+|[a-z]{2,}(?![a-z0-9])|[\x80-\xff]{2,})/

/**
 * Finds e-mail addresses: a domain with a dot behind an at sign, and a character that a local part can end with before
 * it. Addresses in example domains are left out, and so are quoted local parts and domains without a dot.
 */
export function findEmails(window: LeakWindow, found: Found): void {
  const { bytes, embedsAscii } = window
  for (const { needle, length } of AT_SIGNS) {
    eachOccurrence(window, needle, (at, value) => {
      const before = characterBefore(window, startOfBackslashes(bytes, at))
      if (endsLocalPart(before, embedsAscii) && isForeign(bytes, at + length)) found('email', value)
    })
  }
}

/**
 * Returns where the backslashes start that an at sign in JSON has before its own: COPY doubles it, and so does JSON in
 * JSON.
 */
function startOfBackslashes(bytes: Buffer, at: number): number {
  let start = at
  while (at - start < MOST_BACKSLASHES && bytes[start - 1] === BACKSLASH) start--
  return start
}

/** RFC 5321 allows more before the at sign, such as `=` and `/`, which in texts stand between words. */
function endsLocalPart(code: number, embedsAscii: boolean): boolean {
  if (code >= NOT_ASCII) return !embedsAscii
  return isWord(code) || code === DASH || code === 0x2b || code === 0x27
}

/** Returns whether a domain outside the example domains starts at `start`. */
function isForeign(bytes: Buffer, start: number): boolean {
  let end = start
  while (end - start < LONGEST_DOMAIN && inDomain(bytes[end]!)) end++
  if (bytes[end] === BACKSLASH) return isForeignDomain(unescaped(bytes, start))
  return end - start >= 4 && isForeignDomain(bytes.toString('latin1', start, end))
}

function inDomain(byte: number): boolean {
  return isWord(byte) || byte === DOT || byte === DASH || byte >= NOT_ASCII
}

/** Returns the domain at `start` with JSON's escape sequences undone; in COPY text their backslash is doubled. */
function unescaped(bytes: Buffer, start: number): string {
  const text = bytes.toString('latin1', start, start + LONGEST_ESCAPED_DOMAIN)
  const plain = text.replace(/\\{1,8}u([0-9a-f]{4})/gi, (_, digits) =>
    String.fromCharCode(Math.min(Number.parseInt(digits, 16), 0xff)),
  )
  return /^[a-z0-9._\x80-\xff-]{0,255}/i.exec(plain)![0]
}

/**
 * Returns whether the text begins with a domain that is not an example. Its last label is the last one that a top-level domain
 * can be: a sentence or a file name may continue behind it.
 */
function isForeignDomain(text: string): boolean {
  const labels = text.toLowerCase().split('.')
  const empty = labels.indexOf('')
  if (empty !== -1) labels.length = empty
  while (labels.length > 1) {
    const last = labels.pop()!
    const top = TOP.exec(last)?.[0]
    if (top === undefined || FILE_SUFFIX.test(last)) continue
    return !isExample(labels.at(-1)!, top) && labels.every(isLabel)
  }
  return false
}

function isExample(second: string, top: string): boolean {
  return EXAMPLE_TOPS.has(top) || EXAMPLE_DOMAINS.has(`${second}.${top}`)
}

function isLabel(label: string): boolean {
  return label.length <= LONGEST_LABEL && !label.startsWith('-') && !label.endsWith('-')
}
