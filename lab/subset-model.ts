/** Random databases for subsets: tables, keys between them, rows, and the rules of a mask file. */

import fc from 'fast-check'

/** A table with columns `id`, `code`, `weight`, and the columns of its links. Partitioned ones have ids below 3 in one partition. */
type ModelTable = {
  name: string
  shape: 'primary key' | 'unique' | 'no key' | 'partitioned' | 'inherits'
  rows: 'all' | 'none' | 'referenced' | number
  ids: number[]
  weights: number[]
}

/** A key from one table to another. */
export type ModelLink = {
  from: number
  to: number
  kind: 'valid' | 'deferrable' | 'not valid' | 'virtual' | 'virtual when'
  composite: boolean
  full: boolean
  /** Whether only one partition of a partitioned table has it, or is referenced. */
  fromPartition: boolean
  toPartition: boolean
  /** For each row of `from`, what it refers to: the number of a row, null, or a row that does not exist. */
  targets: (number | null | 'nothing' | 'half')[]
}

export type Model = { tables: ModelTable[]; links: ModelLink[] }

const MAX_ROWS = 6

/** Returns arbitrary databases with up to that many tables. */
export function models(maxTables: number, maxRows = MAX_ROWS): fc.Arbitrary<Model> {
  const table = fc.record({
    shape: fc.constantFrom('primary key', 'unique', 'no key', 'partitioned', 'inherits'),
    rows: fc.oneof(
      { weight: 4, arbitrary: fc.constant('all') },
      { weight: 1, arbitrary: fc.constant('none') },
      { weight: 3, arbitrary: fc.constant('referenced') },
      { weight: 4, arbitrary: fc.integer({ min: 0, max: 3 }) },
    ),
    ids: fc.uniqueArray(fc.integer({ min: 0, max: 9 }), { maxLength: maxRows, size: 'max' }),
    weights: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: maxRows, maxLength: maxRows }),
  })
  const link = fc.record({
    from: fc.nat(maxTables - 1),
    to: fc.nat(maxTables - 1),
    kind: fc.constantFrom('valid', 'valid', 'deferrable', 'not valid', 'virtual', 'virtual when'),
    composite: fc.boolean(),
    full: fc.boolean(),
    fromPartition: fc.boolean(),
    toPartition: fc.boolean(),
    targets: fc.array(
      fc.oneof(
        { weight: 8, arbitrary: fc.nat(maxRows - 1) },
        { weight: 2, arbitrary: fc.constant(null) },
        { weight: 1, arbitrary: fc.constant('nothing') },
        { weight: 1, arbitrary: fc.constant('half') },
      ),
      { minLength: maxRows, maxLength: maxRows },
    ),
  })
  return fc
    .record({
      tables: fc.array(table, { minLength: 1, maxLength: maxTables, size: 'max' }),
      links: fc.array(link, { maxLength: maxTables + 4, size: 'max' }),
    })
    .map((raw) => tidy(raw as Model))
}

/** Makes what is possible of a model: keys need unique targets, and valid keys refer to rows that exist. */
function tidy({ tables, links }: Model): Model {
  const named = tables.map((table, index) => ({ ...table, name: `t${index}` }))
  const within = (link: ModelLink) => ({
    ...link,
    from: link.from % tables.length,
    to: link.to % tables.length,
  })
  const fits = ({ to, kind }: ModelLink) =>
    kind.startsWith('virtual') || !/no key|inherits/.test(tables[to]!.shape)
  const fitting = links.map(within).filter(fits)
  return { tables: named, links: fitting.map((link) => tidyLink(link, named)) }
}

function tidyLink(link: ModelLink, tables: readonly ModelTable[]): ModelLink {
  const [from, to] = [tables[link.from]!, tables[link.to]!]
  const isVirtual = link.kind.startsWith('virtual')
  const isChecked = /^(valid|deferrable)$/.test(link.kind)
  // PostgreSQL cannot add a key between a partitioned table and its own partition.
  const mayDiffer = from !== to && !isVirtual
  const fromPartition = link.fromPartition && from.shape === 'partitioned' && mayDiffer
  const toPartition = link.toPartition && to.shape === 'partitioned' && mayDiffer
  const inReach = to.ids.flatMap((id, row) => (!toPartition || id < 3 ? row : []))
  const targets = from.ids.map((id, row) => {
    const target = link.targets[row]!
    if (fromPartition && id >= 3) return null
    if (target === 'half') return link.composite && !link.full ? 'half' : null
    if (target === 'nothing') return isChecked ? null : 'nothing'
    return target === null || inReach.length === 0 ? null : inReach[target % inReach.length]!
  })
  return { ...link, fromPartition, toPartition, targets, full: link.full && !isVirtual }
}

/** Returns the SQL that creates the database. */
export function createModel(model: Model): string {
  const statements = model.tables.flatMap((table, index) => createTable(model, table, index))
  return [...statements, ...model.links.flatMap((link, index) => addKey(model, link, index))].join(';\n')
}

function createTable({ tables, links }: Model, table: ModelTable, index: number): string[] {
  const own = links.flatMap((link, n) => (link.from === index ? [{ ...link, n }] : []))
  const columns = own.flatMap(({ n }) => [`l${n} int`, `l${n}_code text`, `l${n}_kind text`])
  const parent = tables.findIndex(({ shape }) => shape !== 'partitioned')
  const inherits = table.shape === 'inherits' && parent >= 0 && parent < index
  const all = ['id int', 'code varchar(9)', 'weight int', ...columns].join(', ')
  const tail =
    table.shape === 'partitioned' ? ' PARTITION BY RANGE (id)' : inherits ? ` INHERITS (t${parent})` : ''
  const statements = [`CREATE TABLE ${table.name} (${all})${tail}`]
  if (table.shape === 'partitioned')
    statements.push(
      // The columns of this partition have another order.
      `CREATE TABLE ${table.name}_low (${all.split(', ').reverse().join(', ')})`,
      `ALTER TABLE ${table.name} ATTACH PARTITION ${table.name}_low FOR VALUES FROM (MINVALUE) TO (3)`,
      `CREATE TABLE ${table.name}_high PARTITION OF ${table.name} FOR VALUES FROM (3) TO (MAXVALUE)`,
    )
  const names = ['id', 'code', 'weight', ...own.flatMap(({ n }) => [`l${n}`, `l${n}_code`, `l${n}_kind`])]
  table.ids.forEach((id, row) => {
    const values = own.flatMap((link) => valuesOf(tables[link.to]!, link, row))
    statements.push(
      `INSERT INTO ${table.name} (${names.join(', ')}) VALUES (${[id, `'c${id % 3}'`, table.weights[row], ...values].join(', ')})`,
    )
  })
  if (/primary key|partitioned/.test(table.shape))
    statements.push(`ALTER TABLE ${table.name} ADD PRIMARY KEY (id)`)
  if (table.shape === 'unique') statements.push(`ALTER TABLE ${table.name} ADD UNIQUE (id)`)
  if (!/no key|inherits/.test(table.shape)) statements.push(`ALTER TABLE ${table.name} ADD UNIQUE (id, code)`)
  return statements
}

/** Returns the values of a link's columns. A key of a link with `when` has the same form when it refers to nothing. */
function valuesOf(to: ModelTable, { targets, kind }: ModelLink, row: number): string[] {
  const target = targets[row]!
  if (target === 'nothing') return ['77', `'c0'`, `'yes'`]
  if (target === 'half') return ['NULL', `'c0'`, `'yes'`]
  if (target === null && kind === 'virtual when')
    return to.ids.length > 0 ? [String(to.ids[0]), `'c${to.ids[0]! % 3}'`, `'no'`] : ['NULL', 'NULL', `'yes'`]
  if (target === null) return ['NULL', 'NULL', 'NULL']
  const id = to.ids[target]!
  return [String(id), `'c${id % 3}'`, `'yes'`]
}

/** Returns the statements that add the key, which are repeated to check rows again. */
export function addKey({ tables }: Model, link: ModelLink, n: number): string[] {
  if (link.kind.startsWith('virtual')) return []
  const from = `${tables[link.from]!.name}${link.fromPartition ? '_low' : ''}`
  const to = `${tables[link.to]!.name}${link.toPartition ? '_low' : ''}`
  const [columns, keys] = link.composite ? [`l${n}_code, l${n}`, 'code, id'] : [`l${n}`, 'id']
  const options = `${link.full ? ' MATCH FULL' : ''}${link.kind === 'deferrable' ? ' DEFERRABLE INITIALLY DEFERRED' : ''}`
  // A partitioned table has no keys that are not valid.
  const isPartitioned = tables[link.from]!.shape === 'partitioned' && !link.fromPartition
  if (link.kind === 'not valid' && isPartitioned) return []
  return [
    `ALTER TABLE ${from} ADD CONSTRAINT k${n} FOREIGN KEY (${columns}) REFERENCES ${to} (${keys})${options}${link.kind === 'not valid' ? ' NOT VALID' : ''}`,
  ]
}

/** Whether the database or the mask file has the link at all. */
function exists(model: Model, link: ModelLink, n: number): boolean {
  return link.kind.startsWith('virtual') || addKey(model, link, n).length > 0
}

/** Returns the mask file. */
export function maskFileOf(model: Model): string {
  const tables = model.tables.map(({ name, rows }, index) => {
    const own = model.links.flatMap(({ from }, n) =>
      from === index ? [`l${n}`, `l${n}_code`, `l${n}_kind`] : [],
    )
    const rule = typeof rows === 'number' ? `weight <= ${rows} -- a comment` : rows
    return `  public.${name}:\n    rows: ${rule}\n    keep: [${['id', 'code', 'weight', ...inherited(model, index), ...own].join(', ')}]`
  })
  const references = model.links.flatMap(({ from, to, kind, composite }, n) => {
    if (!kind.startsWith('virtual')) return []
    const [columns, keys] = composite ? [`l${n}, l${n}_code`, 'id, code'] : [`l${n}`, 'id']
    const when = kind === 'virtual when' ? ` when l${n}_kind = 'yes'` : ''
    return `  - public.t${from}(${columns}) -> public.t${to}(${keys})${when}`
  })
  return ['tables:', ...tables, ...(references.length > 0 ? ['references:', ...references] : [])].join('\n')
}

/** Returns the columns that a table has from the one that it inherits from. */
function inherited({ tables, links }: Model, index: number): string[] {
  if (tables[index]!.shape !== 'inherits') return []
  const parent = tables.findIndex(({ shape }) => shape !== 'partitioned')
  if (parent < 0 || parent >= index) return []
  const above = links.flatMap(({ from }, n) => (from === parent ? [`l${n}`, `l${n}_code`, `l${n}_kind`] : []))
  return [...inherited({ tables, links }, parent), ...above]
}

/** A row, such as `t2.5`. */
type Row = string

/** What decides which rows stay. */
type Facts = { all: Row[]; own: Set<Row>; targets: Map<Row, Row[]>; referenced: Set<Row> }

function factsOf(model: Model): Facts {
  const all: Row[] = []
  const own = new Set<Row>()
  const referenced = new Set<Row>()
  const targets = new Map<Row, Row[]>()
  model.tables.forEach((table) => {
    table.ids.forEach((id, row) => {
      const name = `${table.name}.${id}`
      all.push(name)
      targets.set(name, [])
      const { rows } = table
      if (typeof rows === 'number' ? table.weights[row]! <= rows : rows !== 'none') own.add(name)
      if (rows === 'referenced') referenced.add(name)
    })
  })
  model.links.forEach((link, n) => {
    if (!exists(model, link, n)) return
    const [from, to] = [model.tables[link.from]!, model.tables[link.to]!]
    link.targets.forEach((target, row) => {
      if (typeof target === 'number')
        targets.get(`${from.name}.${from.ids[row]}`)!.push(`${to.name}.${to.ids[target]}`)
    })
  })
  return { all, own, targets, referenced }
}

/** Computes the rows that stay as the definition says it, row by row. */
export function expectedRows(model: Model): Row[] {
  const { all, own, targets, referenced } = factsOf(model)
  let kept = all.filter((row) => own.has(row))
  for (let before = -1; before !== kept.length; ) {
    before = kept.length
    const set = new Set(kept)
    kept = kept.filter((row) => targets.get(row)!.every((target) => set.has(target)))
  }
  const reached = new Set(kept.filter((row) => !referenced.has(row)))
  for (const row of reached) for (const target of targets.get(row)!) reached.add(target)
  return [...reached].sort()
}

/** Finds the rows that stay by trying every set of rows. */
export function rowsByTrial(model: Model): Row[] {
  const { all, own, targets, referenced } = factsOf(model)
  const sets = Array.from({ length: 2 ** all.length }, (_, bits) =>
    all.filter((_row, index) => (bits >> index) & 1),
  )
  const isClosed = (set: Row[]) =>
    set.every((row) => targets.get(row)!.every((target) => set.includes(target)))
  const closed = sets.filter(isClosed)
  const largest = closed
    .filter((set) => set.every((row) => own.has(row)))
    .reduce((a, b) => (b.length > a.length ? b : a))
  const needed = largest.filter((row) => !referenced.has(row))
  const smallest = closed
    .filter((set) => needed.every((row) => set.includes(row)))
    .reduce((a, b) => (b.length < a.length ? b : a))
  return smallest.sort()
}
