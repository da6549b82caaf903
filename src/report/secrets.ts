import * as core from '@actions/core'

/** The secrets of this run. Everything that the action writes is stripped of them. */
const known = new Set<string>()

/** Hiding shorter values would blank out ordinary words all over the log. */
const MIN_SECRET_LENGTH = 4

/** Remembers a secret; returns whether it is long enough to be hidden. */
export function rememberSecret(value: string): boolean {
  const longEnough = (text: string) => text.trim().length >= MIN_SECRET_LENGTH
  // Programs print line by line, so a secret of several lines appears in pieces.
  for (const piece of [value, ...value.split(/\r\n|\n|\r/)]) if (longEnough(piece)) known.add(piece)
  return longEnough(value)
}

/** Hides texts in everything that is written from now on, by the action and by the runner. */
export function mask(secrets: readonly string[]): void {
  for (const secret of new Set(secrets)) {
    if (rememberSecret(secret)) core.setSecret(secret)
  }
}

/** Returns the text with every known secret replaced, longest first so that no tail of a longer one remains. */
export function hideSecrets(text: string): string {
  const secrets = [...known].sort((a, b) => b.length - a.length)
  return secrets.reduce((hidden, secret) => hidden.replaceAll(secret, '***'), text)
}
