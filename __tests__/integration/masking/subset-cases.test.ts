import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { noClient, startSessionBench } from '../../../lab/benches/session-bench.ts'
import { type ReadableSubset, type SubsetSetup, withSubset } from '../../../lab/benches/subset-bench.ts'
import { subsetLines, subsetWarnings } from '../../../src/masking/subset/subset-text.ts'

const bench = await startSessionBench()
const newest = await startSessionBench({}, 'postgres-18')

const SCHEMA = `
  CREATE EXTENSION citext;
  CREATE TABLE "Üsers ""x""" (id bigint PRIMARY KEY, "E Mail" citext UNIQUE, note text, at timestamptz DEFAULT now());
  INSERT INTO "Üsers ""x""" SELECT n, 'User' || n || '@Ex.org', 'secret' || n FROM generate_series(1, 10) AS n;
  CREATE TABLE by_mail (id int, mail citext REFERENCES "Üsers ""x""" ("E Mail"), user_id smallint REFERENCES "Üsers ""x""");
  INSERT INTO by_mail SELECT n, 'uSER' || n || '@eX.ORG', 11 - n FROM generate_series(1, 10) AS n;
  CREATE TABLE posts (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), n int, author bigint REFERENCES "Üsers ""x""");
  INSERT INTO posts (n, author) SELECT n, 1 + n % 10 FROM generate_series(0, 19) AS n;
  CREATE TABLE comments (id int, kind text, object text);
  INSERT INTO comments SELECT n, 'Post', posts.id::text FROM posts UNION ALL SELECT 100, 'Post', 'no uuid'
    UNION ALL SELECT 101, 'User', '1' UNION ALL SELECT 102, 'User', '9';
  CREATE TABLE chain (id int PRIMARY KEY, before int REFERENCES chain);
  INSERT INTO chain SELECT n, nullif(n - 1, 0) FROM generate_series(1, 3000) AS n;
  CREATE TABLE logs (id int, text text);
  INSERT INTO logs SELECT n, repeat('x', 1000) FROM generate_series(1, 2000) AS n;`

before(async () => {
  await bench.postgres.createDatabase('cases')
  await bench.postgres.psql('cases', SCHEMA)
})

const rest = (users: string, posts = 'keep') => `tables:
  public."Üsers ""x""": ${users}
  public.by_mail: keep
  public.posts: ${posts}
  public.comments: keep
  public.chain: keep
  public.logs: keep
references:
  - public.comments(object) -> public.posts(id) when kind = 'Post'
  - public.comments(object) -> public."Üsers ""x"""(id) when kind <> 'Post'`

const users = (rows: string) => `{rows: "${rows}", keep: [id, E Mail, note, at]}`

/** How many pages a table has, differs between releases. */
const withoutSize = (line: string) => line.replace(/\([\d.]+ [kM]B\)/, '(size)')

async function failureOf(text: string, setup?: SubsetSetup): Promise<string> {
  try {
    await withSubset(bench, 'cases', text, async () => undefined, setup)
  } catch (error) {
    return (error as Error).message
  }
  return 'accepted'
}

test('keys of other types, other columns and other letters, text that names rows of several tables', {
  skip: noClient,
}, async () => {
  await withSubset(bench, 'cases', rest(users('id <= 5')), async ({ subset, read }) => {
    const posts = await read('posts', 'n')
    assert.deepEqual(
      posts.map(Number).sort((a, b) => a - b),
      [0, 1, 2, 3, 4, 10, 11, 12, 13, 14],
    )
    // The mail of row n is that of user n, and its user is 11 - n, so one of the two is left out.
    assert.deepEqual(await read('by_mail', 'id'), [])
    const comments = (await read('comments', 'id')).map(Number).sort((a, b) => a - b)
    assert.deepEqual(comments, [0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 100, 101])
    assert.deepEqual(subsetLines(subset!).map(withoutSize), [
      'public.by_mail: 0 of 10 rows stay; 10 refer to rows of public."Üsers ""x""" that are left out',
      'public.comments: 12 of 23 rows stay; 11 refer to rows of public.posts, public."Üsers ""x""" that are left out',
      'public.posts: 10 of 20 rows stay; 10 refer to rows of public."Üsers ""x""" that are left out',
      'public."Üsers ""x""": 5 of 10 rows stay; 5 do not meet its condition',
      'public.chain: stays whole (size), because it refers to nothing that is restricted',
      'public.logs: stays whole (size), because it refers to nothing that is restricted',
    ])
    assert.deepEqual(subsetWarnings(subset!).map(withoutSize), [
      'public.logs stays whole and is larger (size) than everything else in the dump together, because it refers to nothing that is restricted; give it "rows"',
      'no row of public.by_mail stays: 10 refer to rows of public."Üsers ""x""" that are left out',
      'public.comments refers to public.posts (the reference in line 9), but in 1 row that stays, to a row that the source does not have',
    ])
  })
})

test('a condition is evaluated once: what it takes by chance is what is read', {
  skip: noClient,
}, async () => {
  const sample = rest('keep', '{rows: random() < 0.5, keep: [id, n, author]}')
  await withSubset(bench, 'cases', sample, async ({ subset, read }) => {
    const posts = await read('posts', 'id')
    assert.equal(posts.length, subset!.filtered.find(({ name }) => name === 'posts')!.after)
    assert.deepEqual(await read('posts', 'id'), posts)
    const objects = (await read('comments', 'object')).filter((object) => object.length === 36)
    assert.deepEqual(objects, posts)
  })
})

test('a chain of thousands of rows, from both ends', { skip: noClient }, async () => {
  const chain = (rule: string) => rest('keep').replace('chain: keep', `chain: ${rule}`)
  await withSubset(bench, 'cases', chain('{rows: id > 2, keep: [id, before]}'), async ({ read }) => {
    assert.deepEqual(await read('chain', 'id'), [])
  })
  await bench.postgres.psql(
    'cases',
    'CREATE TABLE ends (at int REFERENCES chain); INSERT INTO ends VALUES (2500), (NULL)',
  )
  const referenced = `${chain('{rows: referenced, keep: [id, before]}').replace('references:', '  public.ends: keep\nreferences:')}`
  await withSubset(bench, 'cases', referenced, async ({ subset, read }) => {
    assert.equal((await read('chain', 'id')).length, 2500)
    assert.deepEqual(subsetLines(subset!).slice(0, 1), [
      'public.chain: 2,500 of 3,000 rows stay; 500 have no reference from a row that stays',
    ])
  })
  await bench.postgres.psql('cases', 'DROP TABLE ends')
})

test('keys that the mask makes NULL, and those that it does not', { skip: noClient }, async () => {
  const masked = (more: string) =>
    rest('none', `{keep: [id, n]${more}, columns: {author: "null"}}`).replace(
      'by_mail: keep',
      'by_mail: none',
    )
  await withSubset(bench, 'cases', masked(''), async ({ subset, read }) => {
    assert.equal((await read('posts', 'n')).length, 20)
    assert.equal(
      subset!.filtered.some(({ name }) => name === 'posts'),
      false,
    )
  })
  await withSubset(bench, 'cases', masked(', unless: n < 5'), async ({ read }) => {
    assert.equal((await read('posts', 'n')).length, 15)
  })
})

test('what cannot be computed is refused in one sentence', { skip: noClient }, async () => {
  const { postgres } = bench
  assert.equal(
    await failureOf(rest(users('idd <= 5')).replace("kind = 'Post'", "kid = 'Post'")),
    [
      'mask mask.yml has conditions that the server refuses, so nothing was dumped:',
      '  line 9: the condition of public.comments: column "kid" does not exist',
      '  line 2: "rows" of public."Üsers ""x""": column "idd" does not exist',
    ].join('\n'),
  )
  assert.equal(
    await failureOf(rest(users('note::int > 5'))),
    'mask mask.yml: the rows that stay cannot be computed, and nothing was dumped; "rows" of public."Üsers ""x""" in line 2 failed: a text is not a value of the type that it is cast to (SQLSTATE 22P02)',
  )
  await postgres.psql(
    'cases',
    `CREATE FUNCTION writes() RETURNS bool LANGUAGE sql AS 'DELETE FROM public.logs; SELECT true'`,
  )
  assert.match(
    await failureOf(rest(users('public.writes()'))),
    /"rows" of .* in line 2 failed: cannot execute DELETE in a read-only transaction$/,
  )
  await postgres.psql('cases', 'DROP FUNCTION writes()')
  await postgres.psql(
    'cases',
    `CREATE ROLE poor LOGIN PASSWORD 'poor' IN ROLE pg_read_all_data; REVOKE TEMPORARY ON DATABASE cases FROM PUBLIC`,
  )
  const address = { user: 'poor', password: 'poor' }
  assert.equal(
    await failureOf(rest(users('id <= 5')), { address }),
    'mask mask.yml leaves out rows to which others could refer, which takes temporary tables on the source: the role may not create them; run GRANT TEMPORARY ON DATABASE cases TO poor',
  )
  // Nothing refers to these rows, so each is decided by itself.
  const alone = rest('keep').replace('logs: keep', 'logs: {rows: id > 5, keep: [id, text]}')
  const seen = async ({ subset, read }: ReadableSubset) => {
    assert.equal((await read('logs', 'id')).length, 1995)
    assert.match(
      subsetLines(subset!)[0]!,
      /^public\.logs: 1,995 of 2,000 rows stay; 5 do not meet its condition$/,
    )
  }
  await withSubset(bench, 'cases', alone, seen, { address })
  await postgres.psql('cases', 'GRANT TEMPORARY ON DATABASE cases TO poor')
  await withSubset(
    bench,
    'cases',
    rest(users('id <= 5')),
    async ({ read }) => {
      assert.equal((await read('posts', 'n')).length, 10)
    },
    { address },
  )
})

test('a key whose comparison would run a function of a user', { skip: noClient }, async () => {
  await bench.postgres.createDatabase('cast')
  await bench.postgres.psql(
    'cast',
    `CREATE TYPE odd AS (n int);
     CREATE FUNCTION odd_text(odd) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1.n; END';
     CREATE CAST (odd AS text) WITH FUNCTION odd_text(odd) AS IMPLICIT;
     CREATE TABLE names (name text PRIMARY KEY);
     CREATE TABLE uses (name odd);
     ALTER TABLE uses ADD FOREIGN KEY (name) REFERENCES names;`,
  )
  const text = 'tables: {public.names: {rows: "true", keep: [name]}, public.uses: keep}'
  await assert.rejects(
    withSubset(bench, 'cast', text, async () => undefined),
    /public\.uses refers to public\.names \(foreign key uses_name_fkey\), and comparing them would run the function public\.odd_text\(public\.odd\) of a user/,
  )
})

test('partitions that the filters leave out, and references that nothing restricts', {
  skip: noClient,
}, async () => {
  await bench.postgres.createDatabase('parts')
  await bench.postgres.psql(
    'parts',
    `CREATE TABLE days (day int PRIMARY KEY) PARTITION BY RANGE (day);
     CREATE TABLE days_old PARTITION OF days FOR VALUES FROM (0) TO (5);
     CREATE TABLE days_new PARTITION OF days FOR VALUES FROM (5) TO (10);
     INSERT INTO days SELECT generate_series(0, 9);
     CREATE TABLE visits (day int REFERENCES days, again int);
     ALTER TABLE visits ADD CONSTRAINT again FOREIGN KEY (again) REFERENCES days NOT VALID;
     INSERT INTO visits SELECT n, NULL FROM generate_series(0, 9) AS n;
     ALTER TABLE visits DISABLE TRIGGER ALL;
     INSERT INTO visits VALUES (NULL, 77), (6, 3), (7, 8);
     CREATE TABLE alone (id int);`,
  )
  const text = 'tables: {public.days: keep, public.visits: keep, public.alone: none}'
  await withSubset(bench, 'parts', text, async ({ subset }) => assert.equal(subset, null))
  const contents = { excludeTableData: ['public.days_old'] }
  await withSubset(
    bench,
    'parts',
    text,
    async ({ subset, read }) => {
      assert.deepEqual(await read('days', 'day'), ['5', '6', '7', '8', '9'])
      assert.deepEqual(await read('visits', 'day'), ['5', '6', '7', '7', '8', '9', null].sort())
      assert.deepEqual(subsetWarnings(subset!).slice(-1), [
        'public.visits refers to public.days (foreign key again), but in 1 row that stays, to a row that the source does not have',
      ])
    },
    { contents },
  )
})

test('PostgreSQL 18: periods, constraints that are not enforced, computed columns', {
  skip: noClient,
}, async () => {
  await newest.postgres.createDatabase('periods')
  await newest.postgres.psql(
    'periods',
    `CREATE EXTENSION btree_gist;
     CREATE TABLE rooms (id int, during int4range, note int, PRIMARY KEY (id, during WITHOUT OVERLAPS));
     INSERT INTO rooms VALUES (1, '[0,10)', 1), (1, '[10,20)', 0), (1, '[20,30)', 1), (2, '[0,10)', 1);
     CREATE TABLE stays (n int, room int, during int4range, FOREIGN KEY (room, PERIOD during) REFERENCES rooms (id, PERIOD during));
     INSERT INTO stays VALUES (1, 1, '[0,5)'), (2, 1, '[5,15)'), (3, 1, '[20,30)'), (4, 2, '[0,10)'), (5, NULL, '[1,2)');
     CREATE TABLE loose (n int, twice int GENERATED ALWAYS AS (n * 2) VIRTUAL, stay int);
     CREATE TABLE base (id int PRIMARY KEY);
     INSERT INTO base VALUES (1), (2);
     ALTER TABLE loose ADD FOREIGN KEY (stay) REFERENCES base NOT ENFORCED;
     INSERT INTO loose (n, stay) VALUES (1, 1), (2, 2), (3, 9);`,
  )
  const text = `tables:
  public.rooms: {rows: note = 1, keep: [id, during, note]}
  public.stays: keep
  public.base: {rows: id = 1, keep: [id]}
  public.loose: keep
references: ["public.loose(twice) -> public.stays(n)"]`
  await withSubset(
    newest,
    'periods',
    text,
    async ({ subset, read }) => {
      assert.deepEqual(await read('stays', 'n'), ['1', '3', '4', '5'])
      assert.deepEqual(await read('loose', 'n'), ['3'])
      assert.equal(subsetWarnings(subset!).length, 2)
    },
    { major: 18 },
  )
})
