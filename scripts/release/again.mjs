// Does the same commit give the same bytes? It is packed once more from a clone at another path, where
// everything is compiled again, and the files are compared.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { root, run, SetupError, say, step } from '../setup/run.mjs'
import { WORK } from './parts.mjs'

/** @param {string} file */
const digest = (file) => createHash('sha256').update(readFileSync(file)).digest('hex')

/**
 * Packs the commit again and compares.
 * @param {string[]} files what the first time gave
 * @param {string[]} platforms names
 * @throws SetupError with the names of the files that differ
 */
export async function packAgain(files, platforms) {
  const folder = join(root, WORK, 'again')
  rmSync(folder, { recursive: true, force: true })
  const clone = join(folder, 'clone')
  await step('Cloning the commit', 'git', ['clone', '--quiet', '--no-hardlinks', root, clone])
  // What comes from elsewhere is held to digests: it is not fetched again, but lies at another path.
  mkdirSync(join(clone, WORK), { recursive: true })
  const parts = join(root, WORK, 'parts')
  if (existsSync(parts)) await step('Copying the parts', 'cp', ['-al', parts, join(clone, WORK)])
  const packed = join(folder, 'packed')
  const words = platforms.flatMap((name) => ['--platform', name])
  say('Packing once more …')
  const { status } = await run(
    process.execPath,
    [join(clone, 'scripts/release.mjs'), '--pack', packed, ...words],
    // A compiler that is asked again, not the memory of what it answered.
    { cwd: clone, show: true, env: { CCACHE_DISABLE: '1' } },
  )
  if (status !== 0) throw new SetupError('The second pack failed')
  checkSame(files, packed)
  rmSync(folder, { recursive: true })
}

/**
 * @param {string[]} files
 * @param {string} folder of files by the same names
 */
export function checkSame(files, folder) {
  const other = files.filter((file) => digest(file) !== digest(join(folder, basename(file))))
  for (const file of files.filter((name) => !other.includes(name))) {
    say(`${basename(file)}: the same bytes twice (sha256 ${digest(file)})`)
  }
  if (other.length === 0) return
  const names = other.map((file) => basename(file)).join(', ')
  throw new SetupError(`Two packs of one commit differ in ${names}; the second is in ${folder}`)
}
