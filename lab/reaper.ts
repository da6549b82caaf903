import { type ChildProcess, spawn } from 'node:child_process'

/**
 * Runs a shell script when this process dies, however it dies. A `finally` does not run after SIGKILL; a shell that
 * waits for the end of our pipe does. It leads its own process group, so that Ctrl-C does not end it together with us.
 */
export function startReaper(script: string, args: readonly string[]): ChildProcess {
  const child = spawn('/bin/sh', ['-c', `cat >/dev/null; ${script}`, 'reaper', ...args], {
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

/** Ends a reaper without running its script: what it watched over is gone. */
export function end(reaper: ChildProcess): void {
  // The whole group: the waiting process is `cat`, a child of the shell.
  try {
    process.kill(-reaper.pid!, 'SIGKILL')
  } catch {
    // Already gone.
  }
}
