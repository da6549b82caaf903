import { type Relation, relationKey, relationName } from '../relation.ts'
import { identifier, type Session } from './connection/session.ts'

/** How a sequence counts. All numbers are texts, because they may be larger than a JavaScript number holds. */
type Counting = { increment: string; min: string; max: string; cycle: boolean }

/** A sequence, and a column of a table with rows that takes its values from it. */
type Draw = Counting & {
  schema: string
  sequence: string
  tableSchema: string
  table: string
  column: string
}

/** The position of a sequence: `last` is the next value as long as it has not been called. */
type Position = { last: string; called: boolean }

/** A sequence that will return values that its column already has. */
export type Behind = { sequence: string; column: string; next: string; taken: string }

/**
 * Columns with the sequence that they own (`serial` without its default, identity) or that their default calls, also by a
 * name that is looked up at run time. The rows are in partitions and inheriting tables too. A default that makes something
 * else of the value, such as a text, is left out: its values are not those of the sequence.
 */
const DRAWS = `
  WITH RECURSIVE whole AS (
    SELECT oid FROM pg_type WHERE oid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)
    UNION ALL SELECT t.oid FROM pg_type AS t JOIN whole ON t.typbasetype = whole.oid WHERE t.typtype = 'd'),
  defaults AS (
    SELECT d.oid, d.adrelid, d.adnum, pg_get_expr(d.adbin, d.adrelid) AS expression FROM pg_attrdef AS d),
  late AS (
    SELECT d.adrelid, d.adnum, n.nspname,
           substring(expression FROM '^nextval\\(\\(''((?:[a-z_][a-z0-9_$]*|"[^"'']+")(?:\\.(?:[a-z_][a-z0-9_$]*|"[^"'']+"))?)''::text\\)::regclass\\)') AS name
    FROM defaults AS d JOIN pg_class AS c ON c.oid = d.adrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace),
  draws AS (
    SELECT d.objid AS sequence, d.refobjid AS relation, a.attname
    FROM pg_depend AS d JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
      AND (d.deptype = 'i' OR d.deptype = 'a' AND NOT a.atthasdef)
    UNION SELECT d.refobjid, f.adrelid, a.attname
    FROM defaults AS f JOIN pg_depend AS d ON d.objid = f.oid AND d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass
      JOIN pg_attribute AS a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
    WHERE f.expression ~ '^\\(?nextval\\(''(?:[^'']|'''')*''::regclass\\)\\)?(?:::[a-z]+)?$'
    UNION SELECT coalesce(to_regclass(l.name), to_regclass(quote_ident(l.nspname) || '.' || l.name))::oid, l.adrelid, a.attname
    FROM late AS l JOIN pg_attribute AS a ON a.attrelid = l.adrelid AND a.attnum = l.adnum WHERE l.name IS NOT NULL
    UNION SELECT draws.sequence, i.inhrelid, draws.attname
    FROM draws JOIN pg_inherits AS i ON i.inhparent = draws.relation)
  SELECT sn.nspname AS schema, s.relname AS sequence, tn.nspname AS "tableSchema", t.relname AS "table", a.attname AS "column",
         q.seqincrement::text AS increment, q.seqmin::text AS min, q.seqmax::text AS max, q.seqcycle AS cycle
  FROM draws JOIN pg_sequence AS q ON q.seqrelid = draws.sequence
    JOIN pg_class AS s ON s.oid = draws.sequence JOIN pg_namespace AS sn ON sn.oid = s.relnamespace
    JOIN pg_class AS t ON t.oid = draws.relation AND t.relkind = 'r' JOIN pg_namespace AS tn ON tn.oid = t.relnamespace
    JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attname = draws.attname AND NOT a.attisdropped
  WHERE a.atttypid IN (SELECT oid FROM whole)
  ORDER BY 1, 2, 3, 4, 5`

/**
 * Looks for sequences that will return a value that one of their columns already has, so that inserts fail or numbers occur
 * twice. A sequence that cycles returns old values on purpose, and one that has reached its end returns none.
 *
 * @param stored the sequences whose positions were restored; the position of another one was left out on purpose
 * @returns how many sequences were looked at, and which of them are behind
 */
export async function findSequencesBehind(
  session: Session,
  stored: readonly Relation[],
): Promise<{ checked: number; behind: Behind[] }> {
  const known = new Set(stored.map(relationKey))
  const draws = (await session.query<Draw>(DRAWS)).filter((draw) => known.has(relationKey(sequenceOf(draw))))
  const sequences = [...new Map(draws.map((draw) => [relationKey(sequenceOf(draw)), draw])).values()]
  const positions = await queryEach<Position, Draw>(session, sequences, (draw) => {
    const { schema, name } = sequenceOf(draw)
    return `SELECT last_value::text AS last, is_called AS called FROM ${identifier(schema)}.${identifier(name)}`
  })
  const nexts = new Map(
    sequences.map((draw, n) => [relationKey(sequenceOf(draw)), nextValue(draw, positions[n]!)]),
  )
  const open = draws.flatMap((draw) => {
    const next = nexts.get(relationKey(sequenceOf(draw))) ?? null
    return next === null ? [] : [{ draw, next }]
  })
  const taken = await queryEach<{ value: string | null }, (typeof open)[number]>(session, open, takenQuery)
  const behind = open.flatMap(({ draw, next }, n) => {
    const { value } = taken[n]!
    return value === null ? [] : [describeBehind(draw, { next, taken: value })]
  })
  return { checked: sequences.length, behind }
}

function sequenceOf({ schema, sequence }: Draw): Relation {
  return { schema, name: sequence }
}

/** Returns the value that a sequence returns next, or null if it returns no new one. */
function nextValue(counting: Counting, { last, called }: Position): string | null {
  const next = called ? BigInt(last) + BigInt(counting.increment) : BigInt(last)
  const ended = next < BigInt(counting.min) || next > BigInt(counting.max)
  return counting.cycle || ended ? null : String(next)
}

/** Returns a query for the value of a column that is farthest on the way of a sequence; null if none is on it. */
function takenQuery({ draw, next }: { draw: Draw; next: string }): string {
  const { increment, min, max, tableSchema, table } = draw
  const column = identifier(draw.column)
  const [farthest, from, to] = increment.startsWith('-') ? ['min', min, next] : ['max', next, max]
  return `SELECT ${farthest}(${column})::text AS value FROM ONLY ${identifier(tableSchema)}.${identifier(table)}
    WHERE ${column} BETWEEN '${from}'::int8 AND '${to}'::int8
      AND (${column}::numeric - '${next}'::numeric) % '${increment}'::numeric = 0`
}

function describeBehind(draw: Draw, values: Pick<Behind, 'next' | 'taken'>): Behind {
  const table = relationName({ schema: draw.tableSchema, name: draw.table })
  return { sequence: relationName(sequenceOf(draw)), column: `${table}.${draw.column}`, ...values }
}

/** How many of them one query asks for. */
const PARTS_PER_QUERY = 100

/** Asks for one row for each item, many at once, because each query takes a round trip. */
async function queryEach<Row, Item>(
  session: Session,
  items: readonly Item[],
  select: (item: Item) => string,
): Promise<Row[]> {
  const rows: Row[] = []
  for (let from = 0; from < items.length; from += PARTS_PER_QUERY) {
    const parts = items
      .slice(from, from + PARTS_PER_QUERY)
      .map((item, n) => `SELECT ${n} AS n, part.* FROM (${select(item)}) AS part`)
    rows.push(...(await session.query<Row>(`${parts.join('\nUNION ALL ')}\nORDER BY n`)))
  }
  return rows
}
