// The runner starts this file after the job. Only a start by this file is a post step: variables cannot make it one.
process.argv[2] = 'post'
await import('./dist/index.js')
