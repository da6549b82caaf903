import { notePending } from '../process/pending.ts'
import { log } from '../report/log.ts'
import { createDatabase, type Locale } from './locale.ts'
import { formatMarker, type Marker } from './marker.ts'
import { temporaryName } from './names.ts'
import { identifier, literal, type Session } from './psql.ts'
import { dropDatabase, type Server } from './server.ts'

/** A database that lives only during a run, under a name that nobody knows. */
export type TemporaryDatabase = {
  readonly name: string
  /** It has become something else; it is not ours to drop any more. */
  release(): void
  /** Drops it. Does not throw: what could not be dropped is left to the post step, with a warning. */
  drop(): Promise<void>
}

type Maker = { session: Session; server: Server; run: string }

/** Creates the empty database into which a dump is restored beside the live one. */
export async function createStaging(
  { session, server, run }: Maker,
  target: string,
  wanted: { locale: Locale | null; tablespace: string | null },
): Promise<TemporaryDatabase> {
  const staging = temporary(session, server, temporaryName(target))
  try {
    const refused = await createDatabase(session, server, staging.name, wanted)
    if (refused)
      log.warning(
        `The server cannot make a database with the locale of the dump (${refused}); sorting may differ`,
      )
    await session.execute(
      `COMMENT ON DATABASE ${identifier(staging.name)} IS ${literal(markerText('staging', target, run))}`,
    )
    return staging
  } catch (error) {
    await staging.drop()
    throw error
  }
}

/** A file copy of a database that has no sessions. */
export async function copyDatabase(
  { session, server, run }: Maker,
  from: string,
  target: string,
): Promise<TemporaryDatabase> {
  const copy = temporary(session, server, temporaryName(target))
  try {
    await session.execute(`CREATE DATABASE ${identifier(copy.name)} TEMPLATE ${identifier(from)}`)
    await session.execute(
      `COMMENT ON DATABASE ${identifier(copy.name)} IS ${literal(markerText('staging', target, run))}`,
    )
    return copy
  } catch (error) {
    await copy.drop()
    throw error
  }
}

export function markerText(kind: Marker['kind'], of: string, run: string): string {
  return formatMarker({ kind, of, at: new Date().toISOString(), run })
}

function temporary(session: Session, server: Server, name: string): TemporaryDatabase {
  const forget = notePending({ kind: 'database', name })
  return {
    name,
    release: forget,
    drop: async () => {
      try {
        await dropDatabase(session, server, name)
        forget()
      } catch (error) {
        log.warning(`Could not drop the temporary database "${name}": ${(error as Error).message}`)
      }
    },
  }
}
