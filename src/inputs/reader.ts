import { messageOf } from '../errors.ts'
import type { Environment } from '../process/environment.ts'
import type { InputSet } from './config-file.ts'
import { DEFAULTS, type InputName } from './defaults.ts'
import { parseBoolean, parseList } from './parse.ts'

/** Reads inputs and collects every mistake instead of stopping at the first, so that a user can fix all of them at once. */
export class Reader {
  readonly problems: string[] = []
  readonly #environment: Environment
  readonly #set: InputSet

  constructor(environment: Environment, set: InputSet = {}) {
    this.#environment = environment
    this.#set = set
  }

  /**
   * Returns the text of an input: from the step, else from the set, else its default. The runner fills in defaults, so a
   * default in the step counts as not given.
   */
  text(name: InputName): string {
    const given = (this.#environment[`INPUT_${name.toUpperCase()}`] ?? '').trim()
    if (given !== '' && given !== DEFAULTS[name]) return given
    return this.#set[name]?.trim() || DEFAULTS[name]
  }

  /** Returns the value of an input, or `otherwise` if it is not given or wrong. */
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
      this.problems.push(`${name} ${messageOf(error)}`)
      return otherwise
    }
  }

  boolean = (name: InputName): boolean => this.read(name, parseBoolean, false)
  list = (name: InputName): string[] => this.read(name, parseList, [])
}
