import { DatabaseError, identifier, type Session } from './connection/session.ts'
import { chosenRelations, oidArray, type Selection } from './selection.ts'

/** A table whose dumped rows refer to rows that are left out. */
export type MissingRows = { constraint: string; table: string; needs: string }

/** Two tables between which a foreign key is checked: the leaves of partition trees, or the tables themselves. */
type Pair = {
  constraint: string
  /** Patterns. */
  table: string
  needs: string
  columns: string[]
  keys: string[]
  operators: string[]
}

/**
 * Returns the foreign keys of which a dumped row refers to a row that is left out: of a table without its data, or of a
 * partition that is left out. A key that is not validated is restored without a check.
 */
export async function readMissingRows(session: Session, selection: Selection): Promise<MissingRows[]> {
  const { contents } = selection
  if (contents.schemaOnly) return []
  const missing: MissingRows[] = []
  for (const pair of await readPairs(session, selection)) {
    if (await refers(session, pair)) missing.push(pair)
  }
  return missing
}

function readPairs(session: Session, selection: Selection): Promise<Pair[]> {
  const left = oidArray(selection.matched.excludeTableData)
  const name = (table: string) => `(SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = ${table})`
  const columns = (table: string, numbers: string) => `(SELECT json_agg(a.attname ORDER BY i)
    FROM unnest(${numbers}) WITH ORDINALITY AS u (number, i) JOIN pg_attribute AS a ON a.attrelid = ${table} AND a.attnum = u.number)`
  return session.query(`
    WITH RECURSIVE chosen AS (${chosenRelations(selection)}),
    tree AS (
      SELECT oid AS root, oid FROM pg_class WHERE relkind IN ('r', 'p')
      UNION ALL SELECT tree.root, c.oid FROM tree JOIN pg_inherits AS i ON i.inhparent = tree.oid
        JOIN pg_class AS c ON c.oid = i.inhrelid AND c.relispartition
    ),
    leaf AS (SELECT tree.root, tree.oid, tree.oid IN (SELECT oid FROM chosen) AND tree.oid <> ALL (${left}) AS dumped
             FROM tree JOIN pg_class AS c ON c.oid = tree.oid AND c.relkind = 'r'
             WHERE tree.root IN (SELECT oid FROM chosen))
    SELECT k.conname AS constraint, ${name('r.oid')} AS table, ${name('x.oid')} AS needs,
           ${columns('k.conrelid', 'k.conkey')} AS columns, ${columns('k.confrelid', 'k.confkey')} AS keys,
           (SELECT json_agg(format('OPERATOR(%I.%s)', n.nspname, o.oprname) ORDER BY i)
            FROM unnest(k.conpfeqop) WITH ORDINALITY AS u (oid, i) JOIN pg_operator AS o ON o.oid = u.oid
            JOIN pg_namespace AS n ON n.oid = o.oprnamespace) AS operators
    FROM pg_constraint AS k JOIN leaf AS r ON r.root = k.conrelid AND r.dumped
    JOIN leaf AS x ON x.root = k.confrelid AND NOT x.dumped
    WHERE k.contype = 'f' AND k.convalidated AND coalesce(to_jsonb(k) ->> 'conparentid', '0') = '0'
    ORDER BY k.conname, r.oid, x.oid`)
}

/** Whether a row of the one table refers to a row of the other. A role that may not read the latter gets a cautious answer. */
async function refers(session: Session, { table, needs, columns, keys, operators }: Pair): Promise<boolean> {
  const equal = columns.map(
    (column, n) => `x.${identifier(keys[n]!)} ${operators[n]} r.${identifier(column)}`,
  )
  const filled = columns.map((column) => `r.${identifier(column)} IS NOT NULL`)
  const ask = async (from: string, conditions: string[]) => {
    const [row] = await session.query<{ found: boolean }>(
      `SELECT EXISTS (SELECT FROM ${from} WHERE ${conditions.join(' AND ')}) AS found`,
    )
    return row!.found
  }
  try {
    return await ask(`ONLY ${table} AS r, ONLY ${needs} AS x`, equal)
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
    return ask(`ONLY ${table} AS r`, filled)
  }
}
