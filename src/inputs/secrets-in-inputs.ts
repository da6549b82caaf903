function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Every form in which a secret of a connection URI can come up: the runner masks what it is told and decodes nothing. */
export function urlSecrets(url: string): string[] {
  // Up to the first @, where libpq ends it, and up to the last, where a user may have meant it to end.
  const userinfo = [/\/\/[^:/?#]*:(.*?)@/s, /\/\/[^:/?#]*:(.*)@/s].flatMap(
    (form) => form.exec(url)?.[1] ?? [],
  )
  const parameters = [...url.matchAll(/[?&](?:password|sslpassword)=([^&]*)/g)].map((match) => match[1]!)
  const raw = [...userinfo, ...parameters]
  if (raw.length === 0) return []
  return [url, ...raw.flatMap((secret) => [secret, decoded(secret), encodeURIComponent(decoded(secret))])]
}

/** The secrets of `s3-config`, found without parsing, so that a mistake in it does not leave them unmasked. */
export function configSecrets(text: string): string[] {
  const pair =
    /["']?(\w*(?:KEY|TOKEN|SECRET|PASSWORD)\w*|\w+_PROXY|\w+_proxy)["']?\s*[=:]\s*("(?:[^"\\]|\\.)*"|[^\r\n]*)/g
  return [...text.matchAll(pair)].flatMap(([, name, value]) => {
    const bare = value!.trim().replace(/^"|"[,}\s]*$/g, '')
    return /proxy$/i.test(name!) ? urlSecrets(bare) : [bare, bare.replaceAll('\\/', '/')]
  })
}
