import type { Connection } from './connection.ts'

/**
 * Providers' hosts and ports behind which a pooler in transaction mode answers, and the way around it. Supabase's docs,
 * "Connect to your database" (5432 on the pooler's host is session mode); Neon's docs, "Connection pooling".
 */
const POOLED: readonly { who: string; host: RegExp; port: string | null; instead: string }[] = [
  {
    who: 'Supabase',
    host: /^.+\.pooler\.supabase\.com$/i,
    port: '6543',
    instead: 'port 5432 of the same host, which is session mode',
  },
  { who: 'Supabase', host: /^db\..+\.supabase\.co$/i, port: '6543', instead: 'port 5432 of the same host' },
  {
    who: 'Neon',
    host: /^([^.]+)-pooler(\..+\.(?:neon\.(?:tech|build)|vercel-storage\.com))$/i,
    port: null,
    instead: 'the direct host $1$2',
  },
]

/** What is wrong with a connection to a provider's pooler, as the end of a sentence; null when nothing is. */
export function poolerProblem({ variables }: Connection): string | null {
  const ports = (variables.PGPORT ?? '').split(',')
  for (const [index, host] of (variables.PGHOST ?? '').split(',').entries()) {
    const port = ports[index] ?? ports[0]
    const pooled = POOLED.find((known) => known.host.test(host) && (known.port ?? port) === port)
    if (!pooled) continue
    const instead = host.replace(pooled.host, pooled.instead)
    return `leads to ${pooled.who}'s connection pooler in transaction mode, where sessions mix; use ${instead}`
  }
  return null
}

/** A busy pooler may give each session the process that it had before, by chance, and not for long. */
const ROUNDS = 4

/** As much of a session as the question needs. */
type Asked = AsyncDisposable & { query<Row>(select: string): Promise<Row[]> }

/**
 * Whether two sessions are served by changing server processes: then a pooler in transaction or statement mode is in
 * between (PgBouncer, Supavisor, RDS Proxy, …), and settings and locks of a session end up in those of others. Asked
 * before anything is set. An idle pooler gives both sessions the same process, a busy one changes that of the first.
 */
export async function sharesServerProcesses(first: Asked, startSecond: () => Asked): Promise<boolean> {
  const ask = async (session: Asked) => {
    const [row] = await session.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid')
    return row!.pid
  }
  const own = await ask(first)
  await using second = startSecond()
  for (let round = 0; round < ROUNDS; round++) {
    // A server that has no second session for us is no pooler.
    const other = await ask(second).catch(() => null)
    if (other === null) return false
    if (other === own || (await ask(first)) !== own) return true
  }
  return false
}
