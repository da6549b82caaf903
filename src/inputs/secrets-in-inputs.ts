function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Returns the secrets of a connection URI in every form in which they may appear, because the runner masks texts literally. */
export function urlSecrets(url: string): string[] {
  // The password ends at the first @ for libpq. A user may have meant the last one.
  const userinfo = [/\/\/[^:/?#]*:(.*?)@/s, /\/\/[^:/?#]*:(.*)@/s].flatMap(
    (form) => form.exec(url)?.[1] ?? [],
  )
  const parameters = [...url.matchAll(/[?&](?:password|sslpassword)=([^&]*)/g)].map((match) => match[1]!)
  const raw = [...userinfo, ...parameters]
  if (raw.length === 0) return []
  return [url, ...raw.flatMap((secret) => [secret, decoded(secret), encodeURIComponent(decoded(secret))])]
}

/** Returns the secrets of `s3-config`. It works without parsing, so that they are masked even if the input is malformed. */
export function configSecrets(text: string): string[] {
  const pair =
    /["']?(\w*(?:KEY|TOKEN|SECRET|PASSWORD)\w*|\w+_PROXY|\w+_proxy)["']?\s*[=:]\s*("(?:[^"\\]|\\.)*"|[^\r\n]*)/g
  return [...text.matchAll(pair)].flatMap(([, name, value]) => {
    const bare = value!.trim().replace(/^"|"[,}\s]*$/g, '')
    return /proxy$/i.test(name!) ? urlSecrets(bare) : [bare, bare.replaceAll('\\/', '/')]
  })
}
