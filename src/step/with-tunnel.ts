import { addressesOf } from '../database/connection/connection.ts'
import { Tunnel } from '../database/connection/tunnel.ts'
import { needsDatabase } from '../inputs/rules.ts'
import { hookEnvironment } from '../process/environment.ts'
import type { Context } from './context.ts'

/** Does work on databases, behind the tunnel of `tunnel-command` when there is one. */
export async function throughTunnel(
  context: Context,
  work: (context: Context) => Promise<void>,
): Promise<void> {
  const { inputs, environment, workspace, signal } = context
  if (inputs.tunnelCommand === '' || !needsDatabase(inputs)) return work(context)
  const connections = [inputs.connection, inputs.command === 'copy' ? inputs.sourceConnection : null]
  await using tunnel = await Tunnel.open({
    command: inputs.tunnelCommand,
    databases: connections.flatMap((connection) => (connection ? [addressesOf(connection)] : [])),
    env: hookEnvironment(environment),
    cwd: workspace,
    signal,
  })
  try {
    await work({ ...context, signal: tunnel.signal })
  } catch (error) {
    // Whatever broke then broke because of it.
    throw tunnel.failure ?? error
  }
}
