/** The secrets of this run, so that no text of ours ever shows one, wherever it is written. */
const known = new Set<string>()

/** Values shorter than this would blank out ordinary words all over the log. */
const SHORTEST_SECRET = 4

/** Remembers a secret; returns whether it is long enough to be hidden. */
export function rememberSecret(value: string): boolean {
  const longEnough = (text: string) => text.trim().length >= SHORTEST_SECRET
  // Programs print line by line, and so we see a secret of several lines in pieces.
  for (const piece of [value, ...value.split(/\r\n|\n|\r/)]) if (longEnough(piece)) known.add(piece)
  return longEnough(value)
}

/** The text with every known secret replaced, longest first so that no tail of a longer one stays. */
export function hideSecrets(text: string): string {
  const secrets = [...known].sort((a, b) => b.length - a.length)
  return secrets.reduce((hidden, secret) => hidden.replaceAll(secret, '***'), text)
}
