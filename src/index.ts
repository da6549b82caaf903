import './runtime.ts'
import { run } from './main.ts'

/** How often to look for calls that a file system does not answer once the step has failed, in milliseconds. */
const STUCK_MS = 5000

await run(process.argv[2] === 'post' ? 'post' : 'main')

/** Whether only calls into a file system keep this process alive. Programs that are still ending are waited for. */
function isStuck(): boolean {
  const active = process.getActiveResourcesInfo()
  return active.some((name) => name.startsWith('FSReq')) && !active.includes('ProcessWrap')
}

// `process.exit` does not help: it waits for the threads of these calls.
if (process.exitCode) setInterval(() => isStuck() && process.kill(process.pid, 'SIGKILL'), STUCK_MS).unref()
