import './runtime.ts'
import { run } from './main.ts'

await run()
