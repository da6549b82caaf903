/** Errors of libpq and the server when a connection fails (fe-connect.c, auth.c), and the sentence for the user. */
const REASONS: readonly [RegExp, (where: string, match: RegExpExecArray) => string][] = [
  [
    /password authentication failed for user "([^"]*)"/,
    (where, m) => `${where}: wrong password for user "${m[1]}"`,
  ],
  [/no password supplied/, (where) => `${where}: the server requires a password; add it to the URL`],
  [
    /could not translate host name "([^"]*)"/,
    (where, m) => `${where}: there is no host named "${m[1]}" (check the spelling and the runner's network)`,
  ],
  [
    /(?:Peer|Ident) authentication failed for user "([^"]*)"/,
    (where, m) =>
      `${where}: the server accepts there only the user of the operating system (peer authentication), which is not "${m[1]}"; connect over TCP with a password, as in postgres://${m[1]}:password@127.0.0.1/…, or map the user in pg_ident.conf`,
  ],
  [
    /(\S+) authentication failed for user "([^"]*)"/,
    (where, m) => `${where}: the ${m[1]} authentication of the server does not accept user "${m[2]}"`,
  ],
  [
    /no pg_hba\.conf entry for host "\[local\]", user "([^"]*)"/,
    (where, m) =>
      `${where}: the server does not accept user "${m[1]}" over its Unix socket; allow it in pg_hba.conf (local), or connect over TCP`,
  ],
  // The server also refused a connection over TLS, so a lack of TLS is not the cause.
  [/no pg_hba\.conf entry for host "([^"]*)", user "([^"]*)".*, SSL encryption/, notLetIn],
  [
    /no pg_hba\.conf entry for host "([^"]*)".*no encryption/,
    (where) =>
      `${where}: the server requires TLS; add sslmode=require, or better sslmode=verify-full, to the URL`,
  ],
  [/no pg_hba\.conf entry for host "([^"]*)", user "([^"]*)"/, notLetIn],
  [
    /server does not support SSL/,
    (where) =>
      `${where}: the server does not offer TLS, but the sslmode of the URL requires it; enable TLS on the server, or change sslmode`,
  ],
  [
    /certificate verify failed|root certificate file .* does not exist|does not match host name/,
    (where, m) =>
      `${where}: the server's TLS certificate was not accepted (${m[0]}); check sslrootcert and the host name`,
  ],
  [
    /database "(.*)" does not exist/,
    (where, m) =>
      `${where}: there is no database "${m[1]}" on that server; check the name at the end of the URL`,
  ],
  [
    /role "([^"]*)" does not exist/,
    (where, m) => `${where}: there is no role "${m[1]}" on that server; check the user in the URL`,
  ],
  [
    /database "(.*)" is not currently accepting connections/,
    (where, m) =>
      `${where}: the database "${m[1]}" is closed to connections (ALTER DATABASE … ALLOW_CONNECTIONS true opens it)`,
  ],
  [
    /remaining connection slots|too many clients|too many connections/,
    (where) =>
      `${where}: the server has no free connection; end other sessions, or raise its connection limit`,
  ],
  [
    /permission denied for database "(.*)"/,
    (where, m) => `${where}: the role may not connect to "${m[1]}"; grant it CONNECT on the database`,
  ],
  [
    /unsupported startup parameter/,
    (where) =>
      `${where}: a connection pooler refuses the session settings of the action; use the direct host of the database`,
  ],
  [
    /FATAL: +no such database: (.*)/,
    (where, m) =>
      `${where}: a connection pooler (PgBouncer) does not list the database "${m[1]}"; use the direct host of the database`,
  ],
  [
    /the database system is (starting up|shutting down|in recovery mode)/,
    (where, m) => `${where}: the server is ${m[1]}; try again when it accepts connections`,
  ],
  [
    /Connection refused/,
    (where) => `${where}: no server listens there (connection refused); check the host and the port`,
  ],
  [
    /No such file or directory/,
    (where) => `${where}: there is no server at that Unix socket; check its directory and the port`,
  ],
  [
    /timeout expired|timed out/,
    (where) => `${where}: no answer in time; check the host, the port and the firewall`,
  ],
  [
    /server closed the connection unexpectedly|Connection reset by peer|connection to server was lost|SSL connection has been closed/,
    (where) => `${where}: the connection to the server was cut`,
  ],
]

function notLetIn(where: string, [, host, user]: RegExpExecArray): string {
  return `${where}: the server does not accept user "${user}" from ${host}; allow it in pg_hba.conf, or in the provider's allow-list`
}

/**
 * Explains a failed connection in one sentence.
 *
 * @param stderr what a client program printed, in English
 * @param label `host:port/database`
 * @returns null if the text is unknown
 */
export function explainConnection(stderr: string, label: string): string | null {
  for (const [pattern, sentence] of REASONS) {
    const match = pattern.exec(stderr)
    if (match) return sentence(`Cannot connect to ${label}`, match)
  }
  return null
}
