import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { noClient, startSessionBench } from '../../../lab/benches/session-bench.ts'
import { quoteIdentifier as quoted } from '../../../lab/postgres/postgres.ts'
import { formatMarker } from '../../../src/database/marker.ts'
import { propertyStatements, readProperties, splitNames } from '../../../src/database/properties.ts'

test('a list of names is taken apart as PostgreSQL puts it together', () => {
  const cases: [string, string[]][] = [
    ['"$user", public', ['$user', 'public']],
    ['a,b', ['a', 'b']],
    ['"with ""quotes"" and, comma", "Ünï"', ['with "quotes" and, comma', 'Ünï']],
    ['""', ['']],
    ['', []],
  ]
  for (const [list, names] of cases) assert.deepEqual(splitNames(list), names, list)
})

const bench = await startSessionBench()

describe('properties', { skip: noClient }, () => {
  const setup: Record<string, (name: string) => string[]> = {
    nothing: () => [],
    'an owner, limits and a comment': (name) => [
      `alter database ${name} owner to "O'wner ""é"""`,
      `alter database ${name} connection limit 7`,
      `comment on database ${name} is E'it''s "the" \\\\ shop\\n$$ :x'`,
    ],
    'grants, with and without their option': (name) => [
      `revoke all on database ${name} from public`,
      `grant connect on database ${name} to "reader :x"`,
      `grant create, temporary on database ${name} to "O'wner ""é""" with grant option`,
    ],
    'everything revoked': (name) => [`revoke all on database ${name} from public, postgres`],
    'grants to everybody': (name) => [`grant all on database ${name} to public`],
    'settings of the database': (name) => [
      `alter database ${name} set search_path to "$user", "Mixed Case", "with, comma ""and quotes""", public`,
      `alter database ${name} set datestyle to 'German, DMY'`,
      `alter database ${name} set work_mem to '7MB'`,
      `alter database ${name} set app.motto to E'it''s = "x" \\\\ y, z'`,
      `alter database ${name} set temp_tablespaces to ''`,
      `alter database ${name} set session_preload_libraries to 'auto_explain', 'plpgsql'`,
      `alter database ${name} set timezone to 'Europe/Zurich'`,
    ],
    'settings of a role in the database': (name) => [
      `alter role "reader :x" in database ${name} set search_path to ''`,
      `alter role "reader :x" in database ${name} set statement_timeout to '5s'`,
      `alter role "O'wner ""é""" in database ${name} set application_name to 'a=b=c'`,
      `alter role all in database ${name} set geqo to off`,
    ],
  }

  test('a database can be given all that another one has', async () => {
    const { postgres } = bench
    const session = await bench.open('postgres')
    await postgres.psql('postgres', `create role "O'wner ""é"""; create role "reader :x"`)
    for (const [what, statements] of Object.entries(setup)) {
      const [model, copy] = [`model of ${what}`, `copy "of" ${what}`].map((name) => name.slice(0, 63)) as [
        string,
        string,
      ]
      for (const name of [model, copy]) await postgres.createDatabase(name)
      for (const statement of statements(quoted(model))) await postgres.psql('postgres', statement)
      const properties = await readProperties(session, model)
      assert.ok(properties)
      await session.execute(...propertyStatements(copy, properties))
      assert.deepEqual(await readProperties(session, copy), properties, what)
    }
  })

  test('grants of a role that is no superuser can be carried over by it', async () => {
    const { postgres } = bench
    await postgres.psql('postgres', `create role app login createdb password 'app'; create role guest`)
    const app = await bench.open('postgres', { user: 'app', password: 'app' })
    await app.execute(
      'CREATE DATABASE mine',
      'REVOKE ALL ON DATABASE mine FROM PUBLIC',
      'GRANT CONNECT ON DATABASE mine TO guest',
      'ALTER DATABASE mine SET work_mem TO 4096',
      'CREATE DATABASE theirs',
    )
    const properties = await readProperties(app, 'mine')
    await app.execute(...propertyStatements('theirs', properties!))
    assert.deepEqual(await readProperties(app, 'theirs'), properties)
  })

  test('a database that is closed, marked or missing', async () => {
    const session = await bench.open('postgres')
    assert.equal(await readProperties(session, `no'where`), null)
    await bench.postgres.createDatabase('closed', 'allow_connections false')
    const comment = formatMarker({ kind: 'clone', of: 'closed', at: '', run: `it's` })
    await session.execute(`COMMENT ON DATABASE closed IS '${comment.replaceAll("'", "''")}'`)
    const properties = await readProperties(session, 'closed')
    assert.equal(properties?.allowsConnections, false)
    assert.equal(properties?.comment, comment)
  })
})
