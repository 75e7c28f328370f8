import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of this package: this code may lie anywhere below it (scripts/setup/bundle.mjs). */
export const packageRoot = rootAbove(dirname(fileURLToPath(import.meta.url)))

function rootAbove(folder: string): string {
  const isRoot = existsSync(join(folder, 'package.json')) && existsSync(join(folder, 'dist'))
  return isRoot || dirname(folder) === folder ? folder : rootAbove(dirname(folder))
}

let version: string | undefined

/** This package's version, as in its package.json. */
export function ownVersion(): string {
  version ??= JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')).version as string
  return version
}
