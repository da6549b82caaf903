import { rmRF } from '@actions/io'

/**
 * Removes a file, or a folder with its contents; a missing one is not an error. It retries for a moment, because Windows
 * refuses to remove a file that another program, such as a virus scanner, has just opened.
 */
export function removeTree(path: string): Promise<void> {
  return rmRF(path)
}
