import { Aws } from '../aws/cli.ts'
import { DatabaseToken, type TokenListener, tokenRequest } from '../aws/database-token.ts'
import { givenRegion } from '../aws/region.ts'
import type { Connection } from '../database/connection/connection.ts'
import { lacksPassword, needsDatabase } from '../inputs/rules.ts'
import { log } from '../report/log.ts'
import { mask } from '../report/secrets.ts'
import { provideAwsCli } from '../tools/aws/provide-aws-cli.ts'
import type { Context } from './context.ts'
import { toolOptions } from './prepare.ts'

export type WithTokens = Disposable & { context: Context }

const LISTENER: TokenListener = {
  token: (token) => mask([token, encodeURIComponent(token)]),
  failure: (reason) =>
    log.warning(`The database password from IAM could not be renewed and is tried again: ${reason}`),
}

/** The context with passwords from IAM where `rds-iam-auth` asks for them: for every connection that has none. */
export async function openDatabaseTokens(context: Context): Promise<WithTokens> {
  const { inputs, environment } = context
  if (!inputs.rdsIamAuth || !needsDatabase(inputs)) return { context, [Symbol.dispose]: () => undefined }
  const region = givenRegion({ chosen: inputs.awsRegion, config: inputs.s3Config, environment })
  const plan = (input: string, connection: Connection | null) =>
    connection && lacksPassword(connection)
      ? { connection, request: tokenRequest(input, connection, region) }
      : null
  // All that can be wrong with either is said before any program starts.
  const target = plan('database-url', inputs.connection)
  const source = plan('source-database-url', inputs.sourceConnection)
  const [{ path: cli }] = await Promise.all([
    provideAwsCli({ ...toolOptions(context), release: inputs.awsCli }),
    context.role.open(),
  ])
  const identity = await context.role.variables(cli)
  using tokens = new DisposableStack()
  const open = async (planned: typeof target) => {
    if (!planned) return {}
    const token = await DatabaseToken.open(
      awsFor(context, cli, identity, planned.request.region),
      planned.request,
      LISTENER,
    )
    tokens.use(token)
    log.info(`The password of ${planned.connection.label} is a token from IAM, for "${planned.request.user}"`)
    return { password: token.current }
  }
  const [ofTarget, ofSource] = await Promise.all([open(target), open(source)])
  const connection = inputs.connection && { ...inputs.connection, ...ofTarget }
  const sourceConnection = inputs.sourceConnection && { ...inputs.sourceConnection, ...ofSource }
  const kept = tokens.move()
  return {
    context: { ...context, inputs: { ...inputs, connection, sourceConnection } },
    [Symbol.dispose]: () => kept.dispose(),
  }
}

/** The AWS CLI as whom the database knows: the role, else whom `s3-config` and the job say. */
function awsFor(
  { inputs, environment, signal }: Context,
  cli: string,
  identity: Record<string, string> | null,
  region: string,
): Aws {
  const config = inputs.s3Config
  const options = { cli, environment, config, region, identity, signal }
  return new Aws({ ...options, endpointUrl: null, checksum: 'when_supported' })
}
