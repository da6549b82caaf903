/** The secrets of this run, so that no text of ours ever shows one, wherever it is written. */
const known = new Set<string>()

/** Values shorter than this would blank out ordinary words all over the log. */
const SHORTEST_SECRET = 4

/** Remembers a secret; returns whether it is long enough to be hidden. */
export function rememberSecret(value: string): boolean {
  const hidden = value.trim().length >= SHORTEST_SECRET
  if (hidden) known.add(value)
  return hidden
}

/** The text with every known secret replaced, longest first so that no tail of a longer one stays. */
export function hideSecrets(text: string): string {
  const secrets = [...known].sort((a, b) => b.length - a.length)
  return secrets.reduce((hidden, secret) => hidden.replaceAll(secret, '***'), text)
}
