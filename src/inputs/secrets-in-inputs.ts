/** Names of parameters with a secret: `password`, `PGPASSWORD`, `sslpassword`, `api_key`, `scram_client_key`. Not `passfile`, a path. */
const SECRET_NAME = /pass(?!file)|pwd|secret|token|api_?key|scram_\w+_key/i

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Returns every form of a secret as it is written in a URL. Frameworks read `+` in a parameter as a space. */
function forms(written: string): string[] {
  const meanings = [decoded(written), decoded(written.replaceAll('+', ' '))]
  return [written, ...meanings, ...meanings.map(encodeURIComponent)]
}

/** Returns the secrets of a connection URI in every form in which they may appear, because the runner masks texts literally. */
export function urlSecrets(url: string): string[] {
  // The password ends at the first @ for libpq. A user may have meant the last one.
  const userinfo = [/\/\/[^:/?#]*:(.*?)@/s, /\/\/[^:/?#]*:(.*)@/s].flatMap(
    (form) => form.exec(url)?.[1] ?? [],
  )
  // What follows without a name is the rest of a password with an & that is not percent-encoded.
  const parameters = [...url.matchAll(/[?&]([^=&]*)=([^&]*)((?:&[^=&]+(?=&|$))*)/g)]
    .filter(([, name]) => SECRET_NAME.test(decoded(name!)))
    .flatMap(([, , value, rest]) => [value!, value! + rest])
  const raw = [...userinfo, ...parameters]
  return raw.length === 0 ? [] : [url, ...raw.flatMap(forms)]
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
