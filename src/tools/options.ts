/** A machine. Everything about it is a value, so that a test can describe another one. */
export type ToolEnvironment = {
  platform: NodeJS.Platform
  arch: string
  env: NodeJS.ProcessEnv
  /** The root of the file system: `/`, or a folder that stands for it in a test. */
  root: string
  /** Whether commands that need root may run as they are; otherwise they run under `sudo -n`. */
  isRoot: boolean
}

export type ToolOptions = {
  installTools: 'auto' | 'never'
  postgresVersion: number | 'auto'
  /** A mirror of everything that is downloaded; the package repositories of the machine stay as they are. */
  downloadBaseUrl: string | null
  log: (line: string) => void
  warn: (line: string) => void
  environment: ToolEnvironment
  signal?: AbortSignal
}

/** This machine. */
export function currentEnvironment(): ToolEnvironment {
  const { platform, arch, env } = process
  return { platform, arch, env, root: platform === 'win32' ? 'C:\\' : '/', isRoot: process.getuid?.() === 0 }
}
