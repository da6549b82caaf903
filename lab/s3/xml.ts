/** A small XML tree: texts, elements by name, and lists of elements of one name. */
export type Xml = string | number | boolean | Date | undefined | Xml[] | { [name: string]: Xml }

const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/'

/** Writes a document with one root element. */
export function xmlDocument(rootName: string, content: Xml, xmlns = true): string {
  const opening = xmlns ? `<${rootName} xmlns="${namespace}">` : `<${rootName}>`
  return `<?xml version="1.0" encoding="UTF-8"?>\n${opening}${write(content)}</${rootName}>`
}

/** Texts of all elements of a name, wherever they are. Enough for what clients send to S3. */
export function elements(xml: string, name: string): string[] {
  const pattern = new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, 'g')
  return [...xml.matchAll(pattern)].map((match) => match[1]!)
}

/** Text of the first element of a name, decoded. */
export function elementText(xml: string, name: string): string | undefined {
  const [text] = elements(xml, name)
  return text === undefined ? undefined : decodeText(text)
}

function write(content: Xml): string {
  if (content instanceof Date) return content.toISOString()
  if (Array.isArray(content)) return content.map(write).join('')
  if (typeof content !== 'object') return encodeText(String(content ?? ''))
  return Object.entries(content)
    .filter(([, value]) => value !== undefined)
    .flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value]).map((one) => `<${name}>${write(one)}</${name}>`),
    )
    .join('')
}

const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function encodeText(text: string): string {
  return text.replace(/[&<>"\r]/g, (character) => `&#${character.codePointAt(0)};`)
}

function decodeText(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (all, hex, decimal, name) => {
    if (name) return entities[name] ?? all
    return String.fromCodePoint(hex ? Number.parseInt(hex, 16) : Number(decimal))
  })
}
