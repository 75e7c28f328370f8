// Python packages of `npm run test:store`, made once (venv and pip); ZARR_PYTHON names another environment.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where the sources of these tests lie. */
export const source = fileURLToPath(new URL('../../../test/store', import.meta.url))
const packages = ['zarr==3.1.6', 'numpy', 'ml_dtypes', 'moto[server]==5.2.5']
const environment = join(source, 'environment')
/** Says which packages are in it. */
const list = join(environment, 'packages.txt')
const wanted = packages.join('\n')

/** A Python that has them. */
export function python(): string {
  const given = process.env.ZARR_PYTHON
  if (given !== undefined) return given
  const program = join(environment, 'bin/python')
  if (existsSync(list) && readFileSync(list, 'utf8') === wanted) return program
  rmSync(environment, { recursive: true, force: true })
  execFileSync('python3', ['-m', 'venv', environment], { stdio: 'inherit' })
  execFileSync(program, ['-m', 'pip', 'install', '--quiet', ...packages], { stdio: 'inherit' })
  writeFileSync(list, wanted)
  return program
}
