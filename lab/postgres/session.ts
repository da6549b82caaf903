import pg from 'pg'

/** Where and as whom to connect. */
export interface Address {
  host: string
  port: number
  user: string
  password: string
  database: string
  /** What the server calls us, `test bench` when not given. */
  application?: string
}

/** One open database session; it ends with the scope. */
export type Session = AsyncDisposable & {
  /** Process id of the server's backend. */
  pid: number
  /** Runs one or more statements; rows of the last one. Numbers, booleans and JSON are decoded, the rest is text. */
  query<T extends object = Record<string, unknown>>(sql: string, values?: unknown[]): Promise<T[]>
  /** As `psql -XAt`: fields separated by `|`, rows by newlines, everything as text. */
  text(sql: string): Promise<string>
  end(): Promise<void>
}

const oid = { bool: 16, int8: 20, int2: 21, int4: 23, json: 114, float8: 701, jsonb: 3802 }
const decoded: Record<number, (text: string) => unknown> = {
  [oid.bool]: (text) => text === 't',
  [oid.int8]: Number,
  [oid.int2]: Number,
  [oid.int4]: Number,
  [oid.float8]: Number,
  [oid.json]: JSON.parse,
  [oid.jsonb]: JSON.parse,
}

/** Opens a session. */
export async function connect({ application = 'test bench', ...address }: Address): Promise<Session> {
  const client = new pg.Client({ ...address, ssl: false, application_name: application })
  // Tests kill servers: the loss of an idle session is no event.
  client.on('error', () => {})
  await client.connect()
  const [backend] = await rows<{ pid: number }>(client, 'select pg_backend_pid() as pid')
  const end = () => client.end().catch(() => {})
  return {
    pid: backend!.pid,
    query: (sql, values) => rows(client, sql, values),
    text: (sql) => text(client, sql),
    end,
    [Symbol.asyncDispose]: end,
  }
}

async function rows<T extends object>(client: pg.Client, sql: string, values?: unknown[]): Promise<T[]> {
  const types = { getTypeParser: (id: number) => decoded[id] ?? String } as pg.CustomTypesConfig
  const result: unknown = await client.query({ text: sql, types, ...(values ? { values } : {}) })
  return last(result as pg.QueryResult<T>).rows
}

async function text(client: pg.Client, sql: string): Promise<string> {
  const types = { getTypeParser: () => String } as unknown as pg.CustomTypesConfig
  const result: unknown = await client.query({ text: sql, types, rowMode: 'array' })
  const { rows } = last(result as pg.QueryArrayResult<(string | null)[]>)
  return rows.map((row) => row.map((field) => field ?? '').join('|')).join('\n')
}

/** Several statements give several results, at run time only: the type says one. */
function last<T>(result: T): T {
  return Array.isArray(result) ? (result.at(-1) as T) : result
}
