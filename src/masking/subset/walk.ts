import type { Session } from '../../database/connection/session.ts'

/** The most rounds that are sent together. */
const MAX_ROUNDS = 64

/**
 * Follows steps from row to row in the database: `reached` gets everything to which steps lead from the rows that it has.
 * The temporary tables stay on the server, so that millions of rows need no memory here.
 */
export class Walk {
  readonly steps: string
  readonly reached: string
  readonly #number: number

  constructor(number: number) {
    this.#number = number
    this.steps = `pg_temp.pgclone_steps_${number}`
    this.reached = `pg_temp.pgclone_reached_${number}`
  }

  create(): string[] {
    const n = this.#number
    return [
      `CREATE TEMPORARY TABLE pgclone_steps_${n} (source bigint NOT NULL, target bigint NOT NULL)`,
      `CREATE INDEX ON ${this.steps} (source)`,
      `CREATE TEMPORARY TABLE pgclone_reached_${n} (id bigint PRIMARY KEY, round int NOT NULL)`,
      `CREATE INDEX ON ${this.reached} (round)`,
    ]
  }

  /** Returns a statement that adds where the walk begins. */
  begin(query: string): string {
    return `INSERT INTO ${this.reached} SELECT s.id, 0 FROM (${query}) AS s ON CONFLICT DO NOTHING`
  }

  /** Follows the steps until they lead nowhere new. Each message has more rounds than the one before, for long chains. */
  async run(session: Session): Promise<void> {
    await session.execute(`ANALYZE ${this.steps}`)
    let last = 0
    for (let count = 1; ; count = Math.min(2 * count, MAX_ROUNDS)) {
      const rounds = Array.from({ length: count }, (_, i) => this.#round(last + i + 1))
      await session.execute(`ANALYZE ${this.reached}`)
      await session.executeTogether(...rounds)
      last += count
      const [row] = await session.query<{ more: boolean }>(
        `SELECT EXISTS (SELECT FROM ${this.reached} WHERE round = ${last}) AS more`,
      )
      if (!row!.more) return
    }
  }

  #round(round: number): string {
    return `INSERT INTO ${this.reached} SELECT s.target, ${round} FROM ${this.reached} AS r JOIN ${this.steps} AS s ON s.source = r.id
      WHERE r.round = ${round - 1} ON CONFLICT DO NOTHING`
  }
}
