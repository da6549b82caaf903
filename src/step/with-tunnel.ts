import { addressesOf } from '../database/connection/connection.ts'
import { Tunnel } from '../database/connection/tunnel.ts'
import { needsDatabase } from '../inputs/rules.ts'
import { hookEnvironment } from '../process/environment.ts'
import type { Step } from './step.ts'

/** Does work on databases through the tunnel of `tunnel-command`, if there is one. The work is cancelled if it ends. */
export async function withTunnel<Result>(step: Step, work: () => Promise<Result>): Promise<Result> {
  const { inputs, environment, workspace, connections, signal } = step
  if (inputs.tunnelCommand === '' || !needsDatabase(inputs)) return work()
  const used = [connections.target, inputs.command === 'copy' ? connections.source : null]
  await using tunnel = await Tunnel.open({
    command: inputs.tunnelCommand,
    databases: used.flatMap((connection) => (connection ? [addressesOf(connection)] : [])),
    env: hookEnvironment(environment),
    cwd: workspace,
    signal,
  })
  step.signal = tunnel.signal
  try {
    return await work()
  } catch (error) {
    // A broken tunnel is the cause of every failure that follows it.
    throw tunnel.failure ?? error
  } finally {
    step.signal = signal
  }
}
