/** What is handed to Node's `spawn`. */
export type SpawnPlan = {
  file: string
  args: readonly string[]
  /** Whether `args` are a finished command line that Node must not quote again. */
  windowsVerbatimArguments: boolean
}

/** Whether Windows starts this file by its command interpreter. */
export function isBatchFile(file: string): boolean {
  return /\.(?:cmd|bat)$/i.test(file)
}

/**
 * How a program is spawned. Node refuses to start a batch file of Windows, such as the `aws.cmd` that pip installs
 * (CVE-2024-27980), because cmd.exe parses the command line by rules of its own; with the quoting below it is safe.
 *
 * @throws an Error when cmd.exe cannot be given an argument unchanged
 */
export function spawnPlan(
  file: string,
  args: readonly string[],
  { platform, comSpec }: { platform: NodeJS.Platform; comSpec: string | undefined },
): SpawnPlan {
  if (platform !== 'win32' || !isBatchFile(file)) return { file, args, windowsVerbatimArguments: false }
  if (/["%]/.test(file)) throw new Error(`The path of ${file} holds a quote or a percent sign`)
  const line = [`"${file}"`, ...args.map(quoteForBatch)].join(' ')
  // Extensions on for %cd:~,%, delayed expansion (!NAME!) off, no AutoRun commands of the registry.
  const switches = ['/e:ON', '/v:OFF', '/d', '/s', '/c']
  return { file: comSpec || 'cmd.exe', args: [...switches, `"${line}"`], windowsVerbatimArguments: true }
}

/**
 * Quotes an argument for a batch file, as Rust's standard library does since CVE-2024-24576
 * (library/std/src/sys/args/windows.rs, `append_bat_arg`):
 * - inside of quotes cmd.exe takes no character but `"` and `%` for its own;
 * - `""` is a quote for cmd.exe and for the program that the batch file starts, and backslashes before it are doubled;
 * - `%%cd:~,%` expands to `%` alone, so that the text behind it is not taken for the name of a variable.
 */
function quoteForBatch(argument: string): string {
  if (/[\0\r\n]/.test(argument)) throw new Error('An argument for a batch file of Windows holds a line break')
  const escaped = argument
    .replace(/(\\*)"/g, '$1$1""')
    .replace(/\\+$/, '$&$&')
    .replaceAll('%', '%%cd:~,%')
  return `"${escaped}"`
}
