/**
 * Reads the address of a monitor, which may have a query. The message never quotes it, because it is a secret.
 *
 * @throws an Error that completes the sentence "ping-url …"
 */
export function parsePingUrl(text: string): string {
  const url = URL.parse(text)
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw new Error('must be an http:// or https:// URL, such as https://hc-ping.com/UUID')
  if (url.username || url.password)
    throw new Error('contains a user name or a password, which cannot be sent; remove them')
  if (url.hash) throw new Error('has a fragment, which is never sent; remove everything from the # on')
  return text
}

/** Shorter parts of a path are ordinary words. */
const MIN_SECRET_PART = 8

/** Returns what of the address lets others send messages in its name. */
export function pingSecrets(text: string): string[] {
  const [path = '', query = ''] = text.replace(/^\w+:\/\/[^/?#]*/, '').split('?')
  const parts = [...path.split('/'), ...query.split('&').map((pair) => pair.replace(/^[^=]*=/, ''))]
  return text === '' ? [] : [text, ...parts.filter((part) => part.length >= MIN_SECRET_PART)]
}
