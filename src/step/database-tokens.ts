import { Aws } from '../aws/cli.ts'
import { DatabaseToken, type TokenListener, tokenRequest } from '../aws/database-token.ts'
import { givenRegion } from '../aws/region.ts'
import type { Connection } from '../database/connection/connection.ts'
import { lacksPassword, needsDatabase } from '../inputs/rules.ts'
import { log } from '../report/log.ts'
import { mask } from '../report/secrets.ts'
import { provideAwsCli } from '../tools/aws/provide-aws-cli.ts'
import type { Connections, Step } from './step.ts'

const LISTENER: TokenListener = {
  token: (token) => mask([token, encodeURIComponent(token)]),
  failure: (reason) =>
    log.warning(`The database password from IAM could not be renewed; trying again: ${reason}`),
}

/**
 * With `rds-iam-auth`, gives every connection without a password a token from IAM.
 *
 * @returns renews the tokens until it is disposed
 */
export async function openDatabaseTokens(step: Step): Promise<Disposable> {
  const { inputs, environment, connections, role } = step
  using tokens = new DisposableStack()
  if (!inputs.rdsIamAuth || !needsDatabase(inputs)) return tokens.move()
  const region = givenRegion({ chosen: inputs.awsRegion, config: inputs.s3Config, environment })
  const plan = (input: string, connection: Connection | null) =>
    connection && lacksPassword(connection)
      ? { connection, request: tokenRequest(input, connection, region) }
      : null
  // Both connections are checked before any program starts.
  const planned = {
    target: plan('database-url', connections.target),
    source: plan('source-database-url', connections.source),
  }
  const [{ path: cli }] = await Promise.all([
    provideAwsCli({ ...step.tools, release: inputs.awsCli }),
    role.open(),
  ])
  const identity = await role.variables(cli)
  const open = async (name: keyof Connections) => {
    const plan = planned[name]
    if (!plan) return
    const { connection, request } = plan
    const token = await DatabaseToken.open(awsFor(step, cli, identity, request.region), request, LISTENER)
    tokens.use(token)
    log.info(`The password of ${connection.label} is a token from IAM, for "${request.user}"`)
    connections[name] = { ...connection, password: token.current }
  }
  await Promise.all([open('target'), open('source')])
  return tokens.move()
}

/** Returns the AWS CLI with the database's identity: the role, else the credentials of `s3-config` and the job. */
function awsFor(
  { inputs, environment, signal }: Step,
  cli: string,
  identity: Record<string, string> | null,
  region: string,
): Aws {
  const config = inputs.s3Config
  const options = { cli, environment, config, region, identity, signal }
  return new Aws({ ...options, endpointUrl: null, checksum: 'when_supported' })
}
