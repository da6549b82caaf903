import { availableParallelism } from 'node:os'
import { setFlagsFromString } from 'node:v8'

/**
 * Compression runs on libuv's pool of four threads; a runner with more cores gets as many. It must be said before the
 * pool is first used, so this module is the first that is imported.
 */
process.env.UV_THREADPOOL_SIZE ??= String(Math.max(4, availableParallelism()))

/**
 * A dump passes through buffers that are used once and lie outside of V8's heap. For every few of them V8 marks the whole
 * heap, on threads of its own, which took a third of our processor time. Collections of young objects alone give the
 * buffers back as well: often, because the space of the young stays small, and with little to look at.
 */
setFlagsFromString('--no-incremental-marking')
setFlagsFromString('--semi-space-growth-factor=1')
