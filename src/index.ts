import './runtime.ts'
import { run } from './main.ts'

/** How long calls into a file system may still take when the step has failed, in milliseconds. */
const STUCK_MS = 5000

await run(process.argv[2] === 'post' ? 'post' : 'main')

// A file system that does not answer keeps Node alive, even in `process.exit`, which waits for its threads.
if (process.exitCode) setTimeout(() => process.kill(process.pid, 'SIGKILL'), STUCK_MS).unref()
