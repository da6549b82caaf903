import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Encrypter } from 'age-encryption'
import { parsePath, whyUnreadable } from '../process/user-path.ts'

const MAKE_A_KEY = 'make a key with age-keygen and give its public key (age1…)'

/** Recipients that age reads by a plugin: the name stands between two ones, as in age1yubikey1…; age1pq1… is a kind of age itself. */
const PLUGIN = /^age1([a-z0-9.+_-]+)1[ac-hj-np-z02-9]{6,}$/

/**
 * Reads recipients, one a line, with comments (#). A line that is not one is the path of a file of recipients.
 *
 * @throws an Error that completes the sentence "encrypt-to …"
 */
export function parseRecipients(text: string, workspace: string): string[] {
  const recipients = meaningfulLines(text).flatMap(({ line }) =>
    isPath(line) ? readRecipientsFile(line, workspace) : [checkRecipient(line, `has ${shown(line)}, which`)],
  )
  if (recipients.length === 0) throw new Error('has comments and no recipient (age1…)')
  return [...new Set(recipients)]
}

/** Returns the beginning and the end of a recipient; a post-quantum one has 1959 characters. */
export function shortRecipient(recipient: string): string {
  return recipient.length > 20 ? `${recipient.slice(0, 12)}…${recipient.slice(-4)}` : recipient
}

/** Whether a recipient resists a quantum computer. */
function isPostQuantum(recipient: string): boolean {
  return recipient.startsWith('age1pq1')
}

/** Whether a file for these recipients is only as strong as the weaker kind. The program age refuses to make such a file. */
export function mixesKinds(recipients: readonly string[]): boolean {
  return recipients.some(isPostQuantum) && !recipients.every(isPostQuantum)
}

/** Returns lines without spaces around them, and without comments and blank lines. */
function meaningfulLines(text: string): { line: string; number: number }[] {
  return text
    .split(/\r\n|\n|\r/)
    .map((line, index) => ({ line: line.replace(/(^|\s)#.*$/, '').trim(), number: index + 1 }))
    .filter(({ line }) => line !== '')
}

/** What begins like a key is meant as one. */
function isPath(line: string): boolean {
  return !/^(?:age1|age-secret-key|age-plugin|ssh-|ecdsa-|sk-|-----)/i.test(line)
}

/** A secret key is not shown. */
function shown(line: string): string {
  return /^age1/i.test(line) ? JSON.stringify(shortRecipient(line)) : 'a line'
}

function readRecipientsFile(name: string, workspace: string): string[] {
  const file = `names the file ${JSON.stringify(name)}, which`
  const recipients = meaningfulLines(readText(name, resolve(workspace, parsePath(name)))).map(
    ({ line, number }) => checkRecipient(line, `${file} has in line ${number} something that`),
  )
  if (recipients.length === 0) throw new Error(`${file} has no recipient (age1…)`)
  return recipients
}

function readText(name: string, path: string): string {
  try {
    const bytes = readFileSync(path)
    // PowerShell redirects into UTF-16. Both decoders drop a byte order mark.
    const isUtf16 = bytes[0] === 0xff && bytes[1] === 0xfe
    return new TextDecoder(isUtf16 ? 'utf-16le' : 'utf-8').decode(bytes)
  } catch (error) {
    throw new Error(
      `has the line ${JSON.stringify(name)}, which is neither a recipient (age1…) nor a file that can be read: it ${whyUnreadable(error)}`,
      { cause: error },
    )
  }
}

/** @param subject the beginning of the sentence, such as "has "age1…", which" */
function checkRecipient(line: string, subject: string): string {
  if (/^age-(?:secret-key|plugin)/i.test(line))
    throw new Error(
      `${subject} is a secret key; give the public key that belongs to it (age1…), and replace the secret key, because it may have been seen`,
    )
  if (!/^age1/i.test(line)) throw new Error(`${subject} is not a recipient of age; ${MAKE_A_KEY}`)
  const plugin = line.startsWith('age1pq1') ? undefined : PLUGIN.exec(line)?.[1]
  if (plugin !== undefined)
    throw new Error(
      `${subject} is a recipient of the plugin "${plugin}", which this action cannot open again; ${MAKE_A_KEY}`,
    )
  try {
    new Encrypter().addRecipient(line)
    return line
  } catch (error) {
    throw new Error(
      `${subject} is not a whole recipient (its checksum is wrong); copy the public key again, one a line`,
      { cause: error },
    )
  }
}
