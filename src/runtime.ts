import { availableParallelism } from 'node:os'
import { setFlagsFromString } from 'node:v8'

/**
 * Compression runs on libuv's thread pool, which has four threads by default. On a runner with more cores the pool gets one
 * thread per core. libuv reads the variable when the pool is first used, so this module must be imported first.
 */
process.env.UV_THREADPOOL_SIZE ??= String(Math.max(4, availableParallelism()))

/**
 * A dump passes through buffers that are used once and live outside V8's heap. Every few buffers V8 would mark its whole
 * heap on background threads, which took a third of the processor time. Collecting only young objects frees the buffers
 * too. It happens often, because the young generation stays small, and it is cheap, because there is little to scan.
 */
setFlagsFromString('--no-incremental-marking')
setFlagsFromString('--semi-space-growth-factor=1')
