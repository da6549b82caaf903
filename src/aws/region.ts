/** Region variables: version 1 of the AWS CLI reads the second one only. */
const REGION_VARIABLES = ['AWS_REGION', 'AWS_DEFAULT_REGION'] as const
type Variables = Readonly<Record<string, string | undefined>>

/** What is given about the region. */
export type GivenRegion = {
  /** The input `aws-region`, or empty. */
  chosen: string
  /** From `s3-config`. */
  config: Variables
  environment: Variables
}

/** The region of `aws-region`, of `s3-config`, or of the job, in this order; null when none of them names one. */
export function givenRegion({ chosen, config, environment }: GivenRegion): string | null {
  return chosen || named(config) || named(environment)
}

/**
 * The region of the store: what the inputs say, then what a known endpoint says, then what the job says (which may be
 * about AWS, while the store is elsewhere).
 *
 * @param ofEndpoint the region of a known endpoint
 * @param otherwise  the region to sign for when nothing names one
 */
export function storeRegion(
  { chosen, config, environment }: GivenRegion,
  ofEndpoint: string | null,
  otherwise: string | null,
): string | null {
  return chosen || named(config) || ofEndpoint || named(environment) || otherwise
}

function named(variables: Variables): string | null {
  return REGION_VARIABLES.map((name) => variables[name]).find((value) => value) ?? null
}

/** The region as environment of the AWS CLI, for all of its versions. */
export function regionVariables(region: string | null): Record<string, string> {
  return region === null ? {} : Object.fromEntries(REGION_VARIABLES.map((name) => [name, region]))
}
