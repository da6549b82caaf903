/** What a mask needs to know of a column's type. All of it is about the type behind all domains. */
export type ColumnType = {
  /** The type with its modifier, as `format_type` writes it when only `pg_catalog` is in the search_path. */
  type: string
  /** Its name in `pg_type`, such as `varchar`; of an array, the name of the type of its elements. */
  base: string
  /** Its `typtype`; of an array, that of its elements, which may be a domain (`d`). */
  kind: 'b' | 'c' | 'd' | 'e' | 'm' | 'p' | 'r'
  isArray: boolean
}
