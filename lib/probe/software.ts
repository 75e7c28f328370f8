import { ownVersion } from '../core/package.js'

/** Name and version of this package. */
export function software(): string {
  return `adaptive-tangent ${ownVersion()}`
}
