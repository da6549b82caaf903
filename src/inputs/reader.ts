import type { Environment } from '../process/environment.ts'
import type { InputSet } from './config-file.ts'
import { DEFAULTS, type InputName } from './defaults.ts'
import { parseBoolean, parseList } from './parse.ts'

/** Collects every mistake instead of stopping at the first, so that a user mends them all in one go. */
export class Reader {
  readonly problems: string[] = []
  readonly #environment: Environment
  readonly #set: InputSet

  constructor(environment: Environment, set: InputSet = {}) {
    this.#environment = environment
    this.#set = set
  }

  /** The text of an input: from the step, else from the set, else the default. The runner fills in defaults, so that one counts as not given. */
  text(name: InputName): string {
    const given = (this.#environment[`INPUT_${name.toUpperCase()}`] ?? '').trim()
    if (given !== '' && given !== DEFAULTS[name]) return given
    return this.#set[name]?.trim() || DEFAULTS[name]
  }

  /** The value of an input, or `otherwise` when it is not given or wrong. */
  read<Value, Otherwise>(
    name: InputName,
    parse: (text: string) => Value,
    otherwise: Otherwise,
  ): Value | Otherwise {
    const text = this.text(name)
    if (text === '') return otherwise
    try {
      return parse(text)
    } catch (error) {
      this.problems.push(`${name} ${(error as Error).message}`)
      return otherwise
    }
  }

  boolean = (name: InputName): boolean => this.read(name, parseBoolean, false)
  list = (name: InputName): string[] => this.read(name, parseList, [])
}
