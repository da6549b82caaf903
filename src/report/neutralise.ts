/**
 * Removes everything from a text of another program that the runner or a terminal would act on.
 *
 * The runner obeys `::command::` at the start of a line (after trimming) and `##[command]` anywhere in one
 * (actions/runner, ActionCommand.cs), and a carriage return starts a new line on a terminal. Rows of a table can
 * contain all three, and PostgreSQL prints rows in its error messages.
 */
export function neutralise(line: string): string {
  return (
    line
      .replace(/[\r\n]+/g, ' ')
      // Control characters go first, because what remains without them may be a command. The last two ranges change the
      // direction of writing.
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '')
      .replace(/^\s*::/, ': :')
      .replace(/::(?=[A-Za-z][\w-]*(?:\s[^:]*)?::)/g, ': :')
      .replaceAll('##[', '# #[')
  )
}

const MESSAGE_START =
  /^(?:pg_dump|pg_restore|psql)\b.*?: |^(?:ERROR|FATAL|PANIC|WARNING|NOTICE|INFO|LOG|HINT):/
/** Lines with row data. `pg_restore` prints the statement that failed, which with `--inserts` is a row; psql prints part of it. */
const ROW_DATA =
  /^(?:psql:\S+ )?(?:(DETAIL|CONTEXT|STATEMENT|QUERY|COPY)\b|(Command was): INSERT\b|(LINE \d+): (?:INSERT\b|\.\.\.))/
/** Errors such as `invalid input syntax for type integer: "…"` quote the value of a row. */
const QUOTED_VALUE = /((?:invalid|malformed|out of range|too long|cannot|value)[^"]*: )".*$/
/** The same for `value "…" is out of range for type integer`. */
const VALUE_OUT_OF_RANGE = /\b(value )".*"( is out of range)/

/** Returns an error message without the row values that it quotes. */
export function hideValues(message: string): string {
  const value = '(hidden, it may be row data)'
  return message.replace(QUOTED_VALUE, `$1${value}`).replace(VALUE_OUT_OF_RANGE, `$1${value}$2`)
}

/**
 * Returns a filter that hides row data in the lines of one child's stderr: the DETAIL, CONTEXT and COPY parts of a message
 * with all lines that follow them (a row may contain line breaks), and the values that an error quotes. It returns what
 * may be shown of a line, or null if nothing may.
 */
export function rowDataFilter(): (line: string) => string | null {
  let hiding = false
  return (line) => {
    const part = ROW_DATA.exec(line)
    if (part) {
      hiding = true
      return `${part[1] ?? part[2] ?? part[3]}: (hidden, it may contain row data)`
    }
    if (MESSAGE_START.test(line)) hiding = false
    if (hiding) return null
    hiding = QUOTED_VALUE.test(line) && !line.endsWith('"')
    return hideValues(line)
  }
}
