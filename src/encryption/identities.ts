import { Decrypter, identityToRecipient } from 'age-encryption'

const SECRET_KEY = /AGE-(?:SECRET-KEY|PLUGIN)-[A-Z0-9-]+/gi

/** Texts that are not identities, and what to do about it. No sentence shows the text. */
const MISTAKES: readonly [RegExp, string][] = [
  [/^age1/i, 'has a public key (age1…); it needs the secret key that belongs to it (AGE-SECRET-KEY-1…)'],
  [/^AGE-PLUGIN-/i, 'has the identity of a plugin, which this action does not run; use a key of age-keygen'],
  [
    /^(?:-----BEGIN AGE ENCRYPTED FILE|age-encryption\.org\/)/,
    'is encrypted with a passphrase; decrypt the key file (age -d) and store what comes out as the secret',
  ],
  [/^-----BEGIN/, 'is a key of another program, such as SSH; use a key of age-keygen'],
  [
    /^AGE-SECRET-KEY-/i,
    'has a line that is not a whole identity (its checksum is wrong); copy the key file again',
  ],
]

/**
 * Reads identities, one a line, with comments (#): the content of a key file.
 *
 * @throws an Error that completes the sentence "age-identity …" and shows nothing of the text
 */
export function parseIdentities(text: string): string[] {
  const lines = secretLines(text)
  if (lines.length === 0) throw new Error('has comments and no identity (AGE-SECRET-KEY-1…)')
  return lines.map((line) => {
    try {
      new Decrypter().addIdentity(line)
      return line
    } catch {
      const mistake = MISTAKES.find(([form]) => form.test(line))?.[1]
      throw new Error(
        mistake ??
          'has a line that is not an identity (AGE-SECRET-KEY-1…); set it to the content of the key file, not to its path',
      )
    }
  })
}

/** Returns the secrets in a text of identities. It works without parsing, so that they are masked even if the text is wrong. */
export function identitySecrets(text: string): string[] {
  return [...secretLines(text), ...secretKeysIn(text)]
}

/** Returns the secret keys in any text. */
export function secretKeysIn(text: string): string[] {
  return [...text.matchAll(SECRET_KEY)].map(([key]) => key)
}

/** Returns the public key of each identity. */
export function recipientsOf(identities: readonly string[]): Promise<string[]> {
  return Promise.all(identities.map((identity) => identityToRecipient(identity)))
}

function secretLines(text: string): string[] {
  return text
    .split(/\r\n|\n|\r/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
}
