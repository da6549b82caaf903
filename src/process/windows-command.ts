/** The arguments of Node's `spawn`. */
export type SpawnPlan = {
  file: string
  args: readonly string[]
  /** Whether `args` are a finished command line that Node must not quote again. */
  windowsVerbatimArguments: boolean
}

/** Whether Windows starts this file with its command interpreter. */
export function isBatchFile(file: string): boolean {
  return /\.(?:cmd|bat)$/i.test(file)
}

/**
 * How to spawn a program. Node refuses to start a Windows batch file, such as the `aws.cmd` that pip installs
 * (CVE-2024-27980), because cmd.exe parses the command line by different rules; the quoting below makes it safe.
 *
 * @throws an Error if cmd.exe would change an argument
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
 * - inside quotes only `"` and `%` are special to cmd.exe;
 * - `""` is a quote for cmd.exe and for the program that the batch file starts, and backslashes before it are doubled;
 * - `%%cd:~,%` expands to a single `%`, so that the text after it is not taken for the name of a variable.
 */
function quoteForBatch(argument: string): string {
  if (/[\0\r\n]/.test(argument)) throw new Error('An argument for a batch file of Windows holds a line break')
  const escaped = argument
    .replace(/(\\*)"/g, '$1$1""')
    .replace(/\\+$/, '$&$&')
    .replaceAll('%', '%%cd:~,%')
  return `"${escaped}"`
}
