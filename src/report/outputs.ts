import * as core from '@actions/core'

/** Outputs of the step by their names. */
export type Outputs = Readonly<Record<string, string | number>>

/** Sets outputs. Called as the very last thing: a failed step has none that a later step could take for success. */
export function setOutputs(outputs: Outputs): void {
  for (const [name, value] of Object.entries(outputs)) core.setOutput(name, value)
}
