/**
 * Options of pg_dump that change neither which rows it writes nor how. All others are refused in a masked dump: they could
 * add rows that are not masked, such as `--include-foreign-data` and `--statistics`, or want rows in another form than the
 * masked tables have, such as `--inserts` and `--load-via-partition-root`.
 */
const HARMLESS = new Set([
  '-O',
  '--no-owner',
  '-x',
  '--no-acl',
  '--no-privileges',
  '-B',
  '--no-blobs',
  '--no-large-objects',
  '--no-comments',
  '--no-policies',
  '--no-publications',
  '--no-security-labels',
  '--no-statistics',
  '--no-subscriptions',
  '--no-sync',
  '--no-table-access-method',
  '--no-tablespaces',
  '--no-toast-compression',
  '--quote-all-identifiers',
  '--strict-names',
  '-v',
  '--verbose',
])

/** Inputs that do the same as an option and that masking knows. */
const INPUTS: readonly (readonly [options: RegExp, input: string])[] = [
  [/^(-b|--blobs|--large-objects)$/, 'large-objects: keep'],
  [/^(-s|--schema-only|--no-data)$/, 'schema-only'],
  [/^(-t|--table)/, 'tables'],
  [/^(-T|--exclude-table$|--exclude-table=|--exclude-table-and)/, 'exclude-tables'],
  [/^--(exclude-table-data|no-unlogged-table-data)/, 'exclude-table-data'],
  [/^(-n|--schema)/, 'schemas'],
  [/^(-N|--exclude-schema)/, 'exclude-schemas'],
  [/^(-Z|--compress)/, 'compression'],
]

/** Returns a sentence for each argument that a masked dump cannot have. */
export function argumentProblems(pgDumpArgs: readonly string[]): string[] {
  return pgDumpArgs.flatMap((argument) => {
    if (HARMLESS.has(argument)) return []
    const input = INPUTS.find(([options]) => options.test(argument))?.[1]
    const [option] = argument.split('=')
    return [
      `pg-dump-args has ${option}, which could bring rows into the dump that are not masked, or in another form; ${input ? `use the input ${input}` : 'remove it'}`,
    ]
  })
}
