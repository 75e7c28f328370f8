import { createRequire } from 'node:module'

/** Name and version of this package. */
export function software(): string {
  const { name, version } = createRequire(import.meta.url)('adaptive-tangent/package.json')
  return `${name} ${version}`
}
