import './runtime.ts'
import { run } from './main.ts'

await run(process.argv[2] === 'post' ? 'post' : 'main')
