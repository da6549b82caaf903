/** A failure of the real world: what triggers it, and what this action does. The number is the one in test names. */
export type Scenario = readonly [trigger: string, ours: string]

/** Scenarios of dump, restore, copy, prune and verify pipelines, found in incident reports, issues and sources. */
export const SCENARIOS: Readonly<Record<number, Scenario>> = {
  1: ['`pg_dump` dies halfway', 'fails; the end of the data is held back, so nothing is published'],
  2: ['`pg_dump` fails before its first byte', 'fails with the reason; no upload stays open'],
  3: [
    'The client is older than the server, or a wrapper chooses another major',
    'chooses the client by both versions, never through the wrapper, or says which one is missing',
  ],
  4: ['Another session has locked a table', 'fails after `lock-wait-timeout` and says so'],
  5: ['A standby cancels the dump', 'says why, and retries the dump'],
  6: ['A connection pooler in transaction mode', 'refuses it, and says what to use instead'],
  7: ['The connection to the database goes silent', 'fails after `idle-timeout`, and ends every program'],
  8: ['The disk is full', 'fails; no file has the final name, and the partial file is removed'],
  9: ['The uploader is killed', 'fails, and aborts the multipart upload'],
  10: ['The job is cancelled', 'ends every program and cleans up before the runner kills it'],
  11: ['The runner vanishes', 'leftovers are marked, and the post step or a later run removes them'],
  12: [
    'The store accepts fewer parts',
    '`s3-max-parts` decides the part size; without it, the error names it',
  ],
  13: ['Credentials expire during the upload', 'fails and says so; the post step cleans up'],
  14: ['The store answers 503 or 500', 'retries; fails if the store does not recover'],
  15: [
    'The store keeps the framing of checksums',
    'compares the stored size; does not use such checksums outside AWS',
  ],
  16: ['Object Lock', 'explains refused uploads; a dump that may not be deleted yet is listed'],
  17: ['Two runs write the same key', 'the first wins; the second fails and deletes nothing'],
  18: [
    'A download ends early and looks complete',
    'counts and hashes every byte before the swap; the target stays as it was',
  ],
  19: [
    '`Range` is ignored, or the object is replaced while it is read',
    'the same check; the target stays as it was',
  ],
  20: ['The download is cut', 'fails; the target stays as it was'],
  21: ['The download stalls', 'fails after `idle-timeout`; the target stays as it was'],
  22: ['Bit rot in storage', 'every restore checks the SHA-256 of the manifest; the target stays as it was'],
  23: ['A truncated SQL script', 'reads only archives, in which every truncation is detected'],
  24: ['A truncated or altered archive', 'checks the structure to the last byte'],
  25: [
    'Some statements fail',
    'stops at the first error that is not known to be harmless; the target stays as it was',
  ],
  26: [
    'Versions that do not match',
    'chooses the client by both versions; rewrites archives for older readers',
  ],
  27: [
    'The AWS CLI is missing, old or broken',
    'installs it, or says what to install, before the dump begins',
  ],
  28: ['Roles, extensions and triggers of another provider', 'leaves out owners and grants by default'],
  29: [
    'Objects in `template1`, another encoding or collation',
    'creates the database from `template0`, with the locale of the old one',
  ],
  30: [
    '`pg_restore` or its connection dies',
    'fails, and drops the staging database; the target stays as it was',
  ],
  31: [
    'Clients reconnect all the time, runs compete',
    'blocks connections for the moment of two renames; one run wins',
  ],
  32: ['A swap loses properties of the database', 'carries over owner, grants, limits, settings and comment'],
  33: ['A crash in the middle of the swap', 'one transaction on the server: old or new, never none'],
  34: ['No right to create databases', 'says so before it starts; `swap: false` restores in one transaction'],
  35: ['Prune after a failed dump', 'a failed dump prunes nothing; the newest dump always stays'],
  36: [
    'Prune meets foreign, unfinished, unreadable or locked objects',
    'deletes only committed dumps by their exact keys',
  ],
  37: ['Hostile names and keys', 'a name is never an option, an address, SQL or a path'],
  38: ['Ambient `PG*`, `AWS_*`, `~/.psqlrc`, service files', 'programs get an allow-listed environment'],
  39: [
    'Secrets in arguments, errors and logs',
    'masked in all spellings, never an argument, hidden in all output',
  ],
  40: [
    'Rows and names that look like workflow commands',
    'row data is hidden, and every line is neutralised',
  ],
  41: [
    'A role of the database creates functions, operators, tables or types with the names that a step uses (CVE-2018-1058)',
    'every session resolves names in `pg_catalog` only; nothing of it runs',
  ],
  42: [
    'Source and target are the same database, or a service leads to another one',
    'compares identities of servers, not text, and refuses before the first byte',
  ],
  43: [
    'A clone becomes production, or a clone has the name of a restore point',
    'a mark counts for the present name only; `disposable: false` makes a database without it',
  ],
  44: [
    'The target is a template, or has a subscription or a prepared transaction',
    'replaces the template and leaves nothing; refuses the others before the work, also in a dry run',
  ],
  45: [
    'The connection that holds the lock is lost while another run sweeps',
    'takes the lock again before the swap, or fails; a sweep drops nothing that is in use',
  ],
  46: [
    'Other code is checked out before the post step',
    'acts on the inputs of main, and removes only what a step of this run left',
  ],
  47: [
    'The code of a fork under `pull_request_target`',
    'refuses to run unless every checkout is known to be the code of the base repository',
  ],
  48: [
    'Another user plants a program where tools are looked for',
    'starts programs only from folders that this user or root controls',
  ],
  49: [
    'Two databases share a key in storage',
    'the true names in the manifest separate them in `prune`, `latest`, `list` and `max-shrink`',
  ],
  50: [
    'Uploads and objects of other programs below the prefix',
    'touches exact keys of its own only, and looks at sizes first',
  ],
  51: [
    'Names, comments and manifests contain Markdown or have a wrong shape',
    'text stays text; a manifest or marker of a wrong shape is refused',
  ],
  52: [
    'Settings of a role end sessions or forbid writing, and policies hide rows from hooks',
    'works all the same, with the settings of the target; hooks see every row or nothing goes live',
  ],
}

/** Said in the page, because silence would look like coverage. */
export const NOT_COVERED: readonly string[] = [
  'AWS itself and other providers: the tests talk to two S3 servers on the same machine.',
  'Machines that lose power: crashes kill processes, and the kernel keeps what they have written.',
  'A server that dies between the two steps of a swap, together with the runner before its post step: the target is the old database and accepts no connections until the next restore or `ALTER DATABASE … ALLOW_CONNECTIONS true`.',
  'macOS and Windows: the code for them is tested as tables, not run.',
  'A runner that vanishes between the data of a dump and its manifest: the data stays in storage, is listed with `committed: false`, and is never taken for a dump. It looks like a dump of another tool, so no run deletes it.',
  'Two dumps into S3 with the same key to the microsecond: the second fails, and its data may have replaced the data of the first, which a restore or verify of the first then refuses. In a folder the first stays intact.',
  'The rows of a restored table are compared by count; SHA-256 and the structure of the archive prove that the bytes are right.',
]
