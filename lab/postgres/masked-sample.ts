import { type Client, restore } from './clients.ts'
import type { Postgres } from './postgres.ts'

/** Natural and composite keys, partitions, a domain, and objects that are computed from rows; for every server that masks. */
export const MASKED_SCHEMA = `
  CREATE EXTENSION citext;
  CREATE DOMAIN short AS varchar(30) CHECK (VALUE <> 'root');
  CREATE TABLE people (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE, full_name short, phone text,
    nick citext, tags text[], settings jsonb);
  CREATE UNIQUE INDEX people_lower ON people (lower(email));
  INSERT INTO people (email, full_name, phone, nick, tags, settings) VALUES
    ('anna@example.org', 'Anna Smith', '+49 (30) 1234-567', 'AB-123', '{canary}', '{"theme": "dark", "name": "canary"}'),
    ('straße €😀', 'Bob', NULL, 'ab-123', NULL, NULL);
  INSERT INTO people (email) SELECT 'canary-' || n || '@company.com' FROM generate_series(3, 1000) AS n;
  CREATE TABLE orders (
    person int REFERENCES people, contact text REFERENCES people (email), code varchar(20), line int,
    PRIMARY KEY (code, line));
  INSERT INTO orders SELECT id, email, 'canary-' || id, 1 FROM people;
  CREATE TABLE parcels (code varchar(40), line int, FOREIGN KEY (code, line) REFERENCES orders (code, line));
  INSERT INTO parcels SELECT code, line FROM orders;
  CREATE TABLE events (at date, who text) PARTITION BY RANGE (at);
  CREATE TABLE events_old PARTITION OF events FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
  CREATE TABLE events_new PARTITION OF events FOR VALUES FROM ('2026-01-01') TO (MAXVALUE);
  INSERT INTO events SELECT '2025-12-31'::date + n % 2, 'canary-' || n FROM generate_series(1, 1000) AS n;
  CREATE TABLE sessions (secret text);
  INSERT INTO sessions VALUES ('canary');
  CREATE TABLE countries (code char(2) PRIMARY KEY);
  INSERT INTO countries VALUES ('de');
  CREATE MATERIALIZED VIEW contacts AS SELECT contact, count(*) AS orders FROM orders GROUP BY contact;`

/** Finds every raw value of a masked column. */
export const RAW_VALUES = /canary|anna@|straße|smith|\(30\) 1234|AB-123/i

export const MASK_RULES = `tables:
  public.people:
    keep: [id]
    columns: {email: email, full_name: name, phone: digits, nick: token, tags: empty, settings: {json: [theme]}}
  public.orders:
    keep: [person, line]
    columns: {code: token}
  public.parcels:
    keep: [line]
  public.events:
    keep: [at]
    columns: {who: {mask: text, domain: people}}
  public.sessions: none
  public.countries: keep
`

/** The first two persons for the `KEY` of `mask-cases.ts`: the masks of `expected-masks.ts`. */
const PEOPLE = [
  '1|a7644c378eab682a@example.com|Nils Klein|+41 (73) 2765-568|170048a52b1348d69213b03f78c653af|{}|{"theme": "dark"}',
  '2|e04ebc05f802772e@example.com|Alan Mason||170048a52b1348d69213b03f78c653af||',
]

const CHECKS = `
  SELECT concat_ws('|', id, email, full_name, coalesce(phone, ''), nick, coalesce(tags::text, ''), coalesce(settings::text, ''))
    FROM people WHERE id = 1
  UNION ALL
  SELECT concat_ws('|', id, email, full_name, coalesce(phone, ''), nick, coalesce(tags::text, ''), coalesce(settings::text, ''))
    FROM people WHERE id = 2
  UNION ALL SELECT count(DISTINCT email)::text FROM people
  UNION ALL SELECT count(*)::text FROM orders AS o JOIN people AS p ON p.id = o.person AND p.email = o.contact
  UNION ALL SELECT count(*)::text FROM parcels JOIN orders USING (code, line)
  UNION ALL SELECT count(*)::text FROM ONLY events_old
  UNION ALL SELECT count(*)::text FROM sessions
  UNION ALL SELECT count(*)::text FROM countries
  UNION ALL SELECT count(*)::text FROM contacts JOIN people ON email = contact
  UNION ALL SELECT count(*)::text FROM pg_constraint WHERE NOT convalidated`

const EXPECTED = [...PEOPLE, '1000', '1000', '1000', '500', '0', '1', '1000', '0']

/**
 * Restores a masked dump with `pg_restore` alone: with two jobs, from a stream, and one table of it.
 *
 * @returns what is not as the rules want it
 */
export async function restoreMasked(postgres: Postgres, client: Client, dump: string): Promise<string[]> {
  const wrong: string[] = []
  const ways = { jobs: ['-j', '2', dump], stream: [], table: ['-t', 'countries', dump] }
  for (const [way, args] of Object.entries(ways)) {
    const database = `masked_${client.major}_${way}`
    await postgres.createDatabase(database)
    const input = way === 'stream' ? dump : undefined
    await restore(client, postgres.env(database), ['--no-owner', '-d', database, ...args], input)
    const found =
      way === 'table'
        ? await postgres.psql(database, 'SELECT code FROM countries')
        : await postgres.psql(database, CHECKS)
    const expected = way === 'table' ? 'de' : EXPECTED.join('\n')
    await postgres.psql('postgres', `DROP DATABASE ${database}`)
    if (found.trim() !== expected) wrong.push(`pg_restore ${client.major}, ${way}: ${found.trim()}`)
  }
  return wrong
}
