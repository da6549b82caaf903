import { open } from 'node:fs/promises'
import type { ArchiveLayout } from './report.ts'
import { DATA_OFFSET_KNOWN } from './toc.ts'

/**
 * Tells the table of contents of the archive in the file `path` where the data are, as pg_dump does when it writes to
 * a file (_CloseArchive in pg_backup_custom.c), so that `pg_restore --jobs` seeks instead of searching. `layout` is
 * that of the report of the stage whose output, all of it, is in the file.
 */
export async function writeOffsets(path: string, layout: ArchiveLayout): Promise<void> {
  await using file = await open(path, 'r+')
  for (const [id, block] of layout.blocks) {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt(block))
    const slot = Buffer.concat([Buffer.from([DATA_OFFSET_KNOWN]), bytes.subarray(0, layout.offsetSize)])
    await file.write(slot, 0, slot.length, layout.slots.get(id)!)
  }
}
