import { identitySecrets, secretKeysIn } from '../encryption/identities.ts'
import { messageOf } from '../errors.ts'
import type { Environment } from '../process/environment.ts'
import { mask } from '../report/secrets.ts'
import { type NamedSet, readNamedSet } from './config-file.ts'
import { type Inputs, readFields } from './inputs.ts'
import { parsePingUrl, pingSecrets } from './ping-url.ts'
import { Reader } from './reader.ts'
import { crossInputProblems } from './rules.ts'
import { configSecrets, urlSecrets } from './secrets-in-inputs.ts'

/** The value of `summary`, also if other inputs are wrong. */
export function wantsSummary(environment: Environment): boolean {
  return new Reader(environment).boolean('summary')
}

/** The value of `ping-url`, also if other inputs are wrong. */
export function readPingUrl(environment: Environment): string | null {
  return new Reader(environment).read('ping-url', parsePingUrl, null)
}

/**
 * Masks the secrets among the inputs, then reads all inputs and checks them against each other.
 *
 * @throws an Error that lists every mistake
 */
export function readInputs(environment: Environment): Inputs {
  const step = new Reader(environment)
  mask([
    ...urlSecrets(step.text('database-url')),
    ...urlSecrets(step.text('source-database-url')),
    ...configSecrets(step.text('s3-config')),
    ...pingSecrets(step.text('ping-url')),
    step.text('mask-key'),
    environment.PGPASSWORD ?? '',
    step.text('github-token'),
    ...identitySecrets(step.text('age-identity')),
    // A secret key that was given for the public one is a secret nevertheless.
    ...secretKeysIn(step.text('encrypt-to')),
  ])
  const namedSet = chooseNamedSet(step, environment)
  const reader = new Reader(environment, namedSet?.inputs)
  const inputs = readFields(reader, environment, namedSet)
  // An input that cannot be read may also break a rule. One message about it is enough.
  const unread = new Set(reader.problems.map(inputOf))
  const broken = crossInputProblems(inputs).filter((problem) => !unread.has(inputOf(problem)))
  const problems = [...reader.problems, ...broken]
  if (problems.length > 0) throw new Error(describeProblems(problems))
  return inputs
}

function chooseNamedSet(step: Reader, environment: Environment): NamedSet | null {
  try {
    return readNamedSet(step.text('config-file'), step.text('config'), environment)
  } catch (error) {
    throw new Error(`Input ${messageOf(error)}`, { cause: error })
  }
}

/** The input that a problem is about. Every problem begins with its name. */
function inputOf(problem: string): string {
  return problem.split(' ')[0]!
}

function describeProblems(problems: readonly string[]): string {
  return problems.length === 1
    ? `Input ${problems[0]}`
    : `${problems.length} inputs are wrong: ${problems.join('; ')}`
}
