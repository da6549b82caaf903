import './process/threads.ts'
import { run } from './main.ts'

await run()
