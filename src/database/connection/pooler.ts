import type { Connection } from './connection.ts'

/**
 * Providers' hosts and ports of poolers in transaction mode, and what to use instead. Supabase's docs,
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

/** Describes the problem with a connection to a provider's pooler, as the end of a sentence; null when there is none. */
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

/** A busy pooler may give a session the same process again by chance, but not several times in a row. */
const MAX_ROUNDS = 4

/** The part of a session that the check needs. */
type QuerySession = AsyncDisposable & { query<Row>(select: string): Promise<Row[]> }

/**
 * Whether two sessions share server processes, because of a pooler in transaction or statement mode (PgBouncer, Supavisor,
 * RDS Proxy, …). Behind such a pooler, settings and locks of a session leak into others, so the check comes before the first
 * setting. An idle pooler gives both sessions the same process, a busy one changes the process of the first session.
 */
export async function sharesServerProcesses(
  first: QuerySession,
  startSecond: () => QuerySession,
): Promise<boolean> {
  const ask = async (session: QuerySession): Promise<number> => {
    const [row] = await session.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid')
    return row!.pid
  }
  const own = await ask(first)
  await using second = startSecond()
  // A server that refuses a second session is not a pooler.
  const other = await ask(second).catch(() => null)
  if (other === null) return false
  if (other === own) return true
  for (let round = 1; round < MAX_ROUNDS; round++) {
    // At the same time, because a distant server answers each question after a round trip.
    const answers: number[] = await Promise.all([ask(first), ask(second).catch(() => other)])
    if (answers[0] !== own || answers[1] !== other) return true
  }
  return false
}
