import { type ChildProcess, spawn } from 'node:child_process'

/**
 * Runs a shell script when this process dies, however it dies. A `finally` does not run after SIGKILL; a shell that
 * waits for the end of our pipe does. It leads its own process group, so that Ctrl-C does not end it together with us.
 */
export function startWatchdog(script: string, args: readonly string[]): ChildProcess {
  const child = spawn('/bin/sh', ['-c', `read -r _; ${script}`, 'watchdog', ...args], {
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
    detached: true,
  })
  child.unref()
  const pipe = child.stdin as unknown as { unref(): void; on(event: 'error', listener: () => void): void }
  pipe.unref()
  pipe.on('error', () => {})
  return child
}

/** Ends a watchdog without running its script, because what it guarded is gone already. */
export function endWatchdog(watchdog: ChildProcess): void {
  watchdog.kill('SIGKILL')
}
