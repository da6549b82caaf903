/**
 * The name of a dump below its storage location: `<instance>/<database>/<config>/<YYYY-MM-DD-HH-MM-SS-ffffff>.dump`,
 * UTC with microseconds. It is django-pgclone's layout, so both read each other's dumps. That of an encrypted dump ends in
 * `.dump.age`, which django-pgclone does not take for a dump.
 */
export type DumpKey = {
  readonly key: string
  readonly instance: string
  readonly database: string
  readonly config: string
  /** ISO 8601 with microseconds, UTC; sorts as text. */
  readonly createdAt: string
}

const EXTENSION = '.dump'
const ENCRYPTED_EXTENSION = '.dump.age'
const MANIFEST_SUFFIX = '.json'
const PATTERN =
  /^([\w-]+)\/([\w-]+)\/([\w-]+)\/(\d{4})-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d{6})\.dump(?:\.age)?$/

/**
 * A part of a key from any text: what is not a letter, digit, `_` or `-` becomes `_`, as in django-pgclone; so does a
 * `-` at the beginning, which a program could take for an option.
 */
export function keyPart(text: string): string {
  return text.replace(/^-|[^A-Za-z0-9_-]/g, '_')
}

/** The key of a dump made now. Node's clock counts milliseconds; the last three digits keep two runs apart. */
export function newDumpKey(
  parts: { instance: string; database: string; config: string; encrypted?: boolean },
  now: Date,
  microseconds: number = Math.floor(Math.random() * 1000),
): DumpKey {
  const time = now.toISOString().slice(0, -1) + String(microseconds).padStart(3, '0')
  const folder = [parts.instance, parts.database, parts.config].map((part) => keyPart(part) || '_').join('/')
  const extension = parts.encrypted ? ENCRYPTED_EXTENSION : EXTENSION
  return parseDumpKey(`${folder}/${time.replace(/[T:.]/g, '-')}${extension}`)!
}

/** @returns null when the text is no key in our layout. */
export function parseDumpKey(key: string): DumpKey | null {
  const match = PATTERN.exec(key)
  if (!match) return null
  const [, instance, database, config, year, month, day, hour, minute, second, fraction] = match
  const createdAt = `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction}Z`
  if (Number.isNaN(Date.parse(createdAt))) return null
  return { key, instance: instance!, database: database!, config: config!, createdAt }
}

/** The key of the manifest of a dump. */
export function manifestKey(key: string): string {
  return `${key}${MANIFEST_SUFFIX}`
}

/** Returns the key of the dump that a key is the manifest of, or null. The dump may be gone. */
export function dumpOfManifest(key: string): DumpKey | null {
  return key.endsWith(MANIFEST_SUFFIX) ? parseDumpKey(key.slice(0, -MANIFEST_SUFFIX.length)) : null
}

const GLOBALS_SUFFIX = '.globals.sql'

/** The key of the roles of a dump, encrypted or not. */
export function globalsKey(key: string): string {
  return key.replace(/\.dump(?:\.age)?$/, GLOBALS_SUFFIX)
}

/** Returns the keys of the dumps that a key may be the roles of; none for another key. */
export function dumpsOfGlobals(key: string): DumpKey[] {
  if (!key.endsWith(GLOBALS_SUFFIX)) return []
  const base = key.slice(0, -GLOBALS_SUFFIX.length)
  return [EXTENSION, ENCRYPTED_EXTENSION]
    .map((extension) => parseDumpKey(base + extension))
    .filter((dump) => dump !== null)
}

/** Whether the dump with this key is encrypted. */
export function isEncryptedKey(key: string): boolean {
  return key.endsWith(ENCRYPTED_EXTENSION)
}

/** Whether a reference names one dump and not the newest of many. */
export function isFullKey(reference: string): boolean {
  return reference.endsWith(EXTENSION) || isEncryptedKey(reference)
}

/**
 * What is wrong with a reference to a dump, or null. A key never leaves the storage location: no `..`, no absolute
 * path, nothing that a shell, a file system or the AWS CLI could read as something else.
 */
export function referenceProblem(reference: string): string | null {
  if (/[\u0000-\u001f\u007f]/.test(reference)) return 'contains a control character'
  if (reference.includes('\\')) return 'contains a backslash; the parts of a key are separated by /'
  if (reference.startsWith('/')) return 'starts with /; it is relative to storage-location'
  const parts = reference.replace(/\/$/, '').split('/')
  if (parts.some((part) => part === '' || part === '.' || part === '..'))
    return 'has an empty part, "." or ".."'
  if (parts.some((part) => part.startsWith('-'))) return 'has a part that starts with -'
  if (/^[A-Za-z]:/.test(reference)) return 'starts with a drive letter'
  return null
}

/** Whether a key lies below a prefix of whole parts: `prod` covers `prod/…` and not `prod-eu/…`. */
export function isBelow(key: string, prefix: string): boolean {
  const folder = prefix.replace(/\/$/, '')
  return folder === '' || key.startsWith(`${folder}/`)
}
