import type { Session } from '../../database/connection/session.ts'
import { explainFailure } from './conditions.ts'
import { isFiltered, type Link, type SubsetTable } from './graph.ts'
import type { KeyTables } from './key-tables.ts'
import { needsWalk, type Schedule, type Stage } from './schedule.ts'
import { Walk } from './walk.ts'

/** How many rows of a table stay, and why others do not. */
export type Counts = {
  before: number
  after: number
  /** The rows before in each part, by its number. */
  parts: ReadonlyMap<number, number>
  /** Rows that do not meet the condition of the table. */
  condition: number
  /** Rows that refer to a row that is left out. */
  reference: number
  /** Rows to which no row refers that stays, of a table with `rows: referenced`. */
  unreferenced: number
}

/** Computes the rows that stay, in temporary tables of one session. */
export class Computation {
  readonly #session: Session
  readonly #file: string
  readonly #sql: KeyTables
  readonly #schedule: Schedule
  readonly #walks = new Map<Stage, Walk>()
  readonly #counts = new Map<SubsetTable, Counts>()

  constructor(session: Session, file: string, sql: KeyTables, schedule: Schedule) {
    this.#session = session
    this.#file = file
    this.#sql = sql
    this.#schedule = schedule
    for (const stage of [...schedule.keep, ...schedule.refer]) {
      if (needsWalk(stage, schedule.refer.includes(stage))) this.#walks.set(stage, new Walk(stage.number))
    }
  }

  /** Returns statements that create the temporary tables. They come before the transaction that reads, which is read-only. */
  create(): string[] {
    return [
      'CREATE TEMPORARY SEQUENCE pgclone_ids',
      ...this.#schedule.kept.map((table) => this.#sql.create(table)),
      ...[...this.#walks.values()].flatMap((walk) => walk.create()),
    ]
  }

  /** Fills the temporary tables, in the transaction whose snapshot the dump uses. */
  async run(): Promise<ReadonlyMap<SubsetTable, Counts>> {
    const { keep, refer } = this.#schedule
    for (const stage of keep) await this.#explained(stage, () => this.#keep(stage))
    for (const stage of refer) await this.#explained(stage, () => this.#refer(stage))
    return this.#counts
  }

  async #explained(stage: Stage, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      // A table that stays whole is read here for the first time, to see to what it refers.
      const readers = new Set([...stage.tables, ...stage.outer.map(({ from }) => from)])
      throw explainFailure(error, this.#file, [...readers], this.#schedule.links)
    }
  }

  /** Keeps rows that meet their condition and refer only to rows that stay. */
  async #keep(stage: Stage): Promise<void> {
    for (const table of stage.tables) {
      const outer = stage.outer.filter(({ from }) => from === table)
      const total = await this.#total(table)
      const { before } = total
      const ownCondition = typeof table.rows === 'object'
      // With a condition, the links are looked at afterwards, so that the rows of both reasons are known.
      await this.#insert(table, ownCondition ? [] : outer)
      const met = ownCondition ? await this.#kept(table) : before
      if (ownCondition) await this.#removeBroken(table, outer)
      this.#counts.set(table, {
        ...{ ...total, after: 0, condition: before - met, reference: met, unreferenced: 0 },
      })
    }
    const walk = this.#walks.get(stage)
    if (walk) await this.#removeBrokenTogether(stage, walk)
    for (const table of stage.tables) {
      const counts = this.#counts.get(table)!
      counts.after = await this.#kept(table)
      counts.reference -= counts.after
    }
  }

  async #insert(table: SubsetTable, links: readonly Link[]): Promise<void> {
    const broken = links.map((link) => this.#sql.broken(link, 'r'))
    const joins = broken.map(({ join }) => join).join(' ')
    const where = broken.map(({ condition }) => `NOT (${condition})`).join(' AND ')
    await this.#session.execute(
      `INSERT INTO ${this.#sql.kept(table)} SELECT nextval('pg_temp.pgclone_ids'), r.*
       FROM (${this.#sql.source(table)}) AS r ${joins}${where && ` WHERE ${where}`}`,
      `ANALYZE ${this.#sql.kept(table)}`,
    )
  }

  /** Returns a query for the kept rows of a table that break a link. */
  #brokenRows(link: Link): string {
    const { join, condition } = this.#sql.broken(link, 'r')
    return `SELECT r.id FROM ${this.#sql.kept(link.from)} AS r ${join} WHERE ${condition}`
  }

  async #removeBroken(table: SubsetTable, links: readonly Link[]): Promise<void> {
    const kept = this.#sql.kept(table)
    for (const link of links)
      await this.#session.execute(`DELETE FROM ${kept} AS k WHERE k.id IN (${this.#brokenRows(link)})`)
    if (links.length > 0) await this.#session.execute(`ANALYZE ${kept}`)
  }

  /** Removes the rows of tables that refer to each other: those that break a link, and what refers to them, and so on. */
  async #removeBrokenTogether({ tables, inner }: Stage, walk: Walk): Promise<void> {
    await this.#addSteps(inner, walk, { source: 'target', target: 'row' })
    for (const link of inner) await this.#session.execute(walk.begin(this.#brokenRows(link)))
    await walk.run(this.#session)
    for (const table of tables) {
      const kept = this.#sql.kept(table)
      await this.#session.execute(
        `DELETE FROM ${kept} AS k USING ${walk.reached} AS o WHERE o.id = k.id`,
        `ANALYZE ${kept}`,
      )
    }
  }

  /** Records which row refers to which, for a walk in one of the directions. */
  async #addSteps(
    links: readonly Link[],
    walk: Walk,
    { source, target }: Record<'source' | 'target', 'row' | 'target'>,
  ): Promise<void> {
    for (const link of links)
      await this.#session.execute(
        `INSERT INTO ${walk.steps} SELECT "${source}".id, "${target}".id FROM ${this.#sql.kept(link.from)} AS "row"
         JOIN ${this.#sql.kept(link.to)} AS "target" ON ${this.#sql.matches(link, '"row"', '"target"')}`,
      )
  }

  /** Keeps of `referenced` tables what kept rows refer to. All of that has been kept before, because its rows refer to it. */
  async #refer(stage: Stage): Promise<void> {
    const walk = this.#walks.get(stage)
    if (walk) await this.#keepReached(stage, walk)
    else await this.#insertReferenced(stage)
  }

  /** Adds the referenced rows of a table to its temporary table, which is empty. */
  async #insertReferenced({ tables: [table], outer }: Stage): Promise<void> {
    const kept = this.#sql.kept(table!)
    for (const link of outer)
      await this.#session.execute(
        `INSERT INTO ${kept} SELECT nextval('pg_temp.pgclone_ids'), t.* FROM (${this.#sql.source(table!)}) AS t
         WHERE ${this.#isReferenced(link)}
           AND NOT EXISTS (SELECT FROM ${kept} AS k WHERE k.part = t.part AND k.place = t.place)`,
        `ANALYZE ${kept}`,
      )
    const total = await this.#total(table!)
    const after = await this.#kept(table!)
    const unreferenced = total.before - after
    this.#counts.set(table!, { ...total, after, condition: 0, reference: 0, unreferenced })
  }

  /** Returns a condition for a row `t` to which a row refers that stays. */
  #isReferenced(link: Link): string {
    const rows = isFiltered(link.from) ? this.#sql.kept(link.from) : `(${this.#sql.source(link.from)})`
    return `EXISTS (SELECT FROM ${rows} AS r WHERE ${this.#sql.matches(link, 'r', 't')})`
  }

  /** Follows references between the rows of several tables, and removes the rows that are not reached. */
  async #keepReached({ tables, inner, outer }: Stage, walk: Walk): Promise<void> {
    for (const table of tables) {
      if (this.#counts.has(table)) continue
      await this.#insert(table, [])
      const total = await this.#total(table)
      this.#counts.set(table, { ...total, after: total.before, condition: 0, reference: 0, unreferenced: 0 })
    }
    await this.#addSteps(inner, walk, { source: 'row', target: 'target' })
    for (const link of outer) {
      const rows = `SELECT t.id FROM ${this.#sql.kept(link.to)} AS t WHERE ${this.#isReferenced(link)}`
      await this.#session.execute(walk.begin(rows))
    }
    await walk.run(this.#session)
    for (const table of tables) {
      const kept = this.#sql.kept(table)
      const reached = `SELECT FROM ${walk.reached} AS o WHERE o.id = k.id`
      await this.#session.execute(`DELETE FROM ${kept} AS k WHERE NOT EXISTS (${reached})`, `ANALYZE ${kept}`)
      const counts = this.#counts.get(table)!
      const after = await this.#kept(table)
      counts.unreferenced = counts.after - after
      counts.after = after
    }
  }

  async #kept(table: SubsetTable): Promise<number> {
    const query = `SELECT count(*) AS rows FROM ${this.#sql.kept(table)}`
    const [row] = await this.#session.query<{ rows: number }>(query)
    return row!.rows
  }

  /** Counts the rows that the source has. */
  async #total(table: SubsetTable): Promise<Pick<Counts, 'before' | 'parts'>> {
    const rows = await this.#session.query<{ part: number; rows: number }>(this.#sql.count(table))
    const parts = new Map(rows.map(({ part, rows: count }) => [part, count]))
    return { parts, before: [...parts.values()].reduce((sum, count) => sum + count, 0) }
  }
}
