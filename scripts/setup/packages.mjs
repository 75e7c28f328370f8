// npm packages: node_modules must hold exactly what package-lock.json says.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, step } from './run.mjs'

/**
 * @typedef {{ version?: string, integrity?: string, optional?: boolean, devOptional?: boolean }} Locked
 */

/**
 * @param {string} file
 * @returns {Record<string, Locked> | undefined}
 */
function locked(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), 'utf8')).packages
  } catch {
    return undefined
  }
}

/** Is every package of the lock file installed, in that version? npm keeps a record of its own. */
export function packagesCurrent() {
  const wanted = locked('package-lock.json') ?? {}
  const present = locked('node_modules/.package-lock.json')
  if (!present) return false
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true
    const found = present[path]
    if (!found) return Boolean(entry.optional || entry.devOptional)
    if (found.version !== entry.version || found.integrity !== entry.integrity) return false
    return existsSync(join(root, path, 'package.json'))
  })
}

/** npm as it was called, or as it is found. */
export function npm() {
  const path = process.env.npm_execpath
  return path?.endsWith('npm-cli.js') ? [process.execPath, path] : ['npm']
}

/** Install scripts stay off: onnxruntime-node's wants to download what this package never uses. */
export async function installPackages() {
  const [command = 'npm', ...first] = npm()
  await step('Installing npm packages', command, [
    ...first,
    ...['ci', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'],
  ])
}
