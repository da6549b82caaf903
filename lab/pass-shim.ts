import { execFileSync } from 'node:child_process'
import { delimiter, dirname } from 'node:path'

/** Puts the AWS CLI itself before a shim of pyenv, of which each start would start three shells first. */
export function passShim(): void {
  const script = 'case $(command -v aws) in */shims/aws) pyenv which aws || : ;; esac'
  const program = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trim()
  if (program !== '') process.env.PATH = `${dirname(program)}${delimiter}${process.env.PATH}`
}
