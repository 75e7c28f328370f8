// A step of the set-up is done again unless its inputs have the same contents, and its outputs are
// the very files, that they were when it last succeeded. Never by modification times of inputs:
// those lie after a checkout or a copy.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './run.mjs'

/**
 * All files below a folder (or the file itself), relative to the root, sorted; without the Python
 * environments that the tests' setup.sh make.
 * @param {string} path
 * @param {(name: string) => boolean} [wanted]
 * @returns {string[]}
 */
export function files(path, wanted = () => true) {
  let stat
  try {
    stat = statSync(join(root, path))
  } catch {
    return []
  }
  if (!stat.isDirectory()) return [path]
  return readdirSync(join(root, path), { withFileTypes: true })
    .filter((entry) =>
      entry.isDirectory() ? !entry.name.startsWith('environment') : wanted(entry.name),
    )
    .flatMap((entry) => files(join(path, entry.name), wanted))
    .sort()
}

/** @param {string} path */
function digest(path) {
  return createHash('sha256')
    .update(readFileSync(join(root, path)))
    .digest('base64')
}

/** @param {string} path */
function identity(path) {
  const { size, mtimeMs } = statSync(join(root, path))
  return `${size} ${mtimeMs}`
}

/**
 * @param {string} stampFile
 * @returns {{ inputs: Record<string, string>, outputs: Record<string, string>, facts: string } | undefined}
 */
function read(stampFile) {
  try {
    return JSON.parse(readFileSync(join(root, stampFile), 'utf8'))
  } catch {
    return undefined
  }
}

export class Stamp {
  /**
   * @param {string} file where the stamp is kept
   * @param {() => string[]} inputs
   * @param {() => string[]} outputs
   * @param {string} facts whatever else the outputs depend on
   */
  constructor(file, inputs, outputs, facts) {
    this.file = file
    this.inputs = inputs
    this.outputs = outputs
    this.facts = facts
  }

  #now() {
    return {
      facts: this.facts,
      inputs: Object.fromEntries(this.inputs().map((path) => [path, digest(path)])),
      outputs: Object.fromEntries(this.outputs().map((path) => [path, identity(path)])),
    }
  }

  current() {
    const before = read(this.file)
    if (!before || Object.keys(before.outputs).length === 0) return false
    return JSON.stringify(before) === JSON.stringify(this.#now())
  }

  /**
   * Makes changed inputs look new to make, whatever their modification time says.
   * @param {(path: string) => boolean} [wanted]
   */
  touchChanged(wanted = () => true) {
    const before = read(this.file)
    if (!before) return
    for (const [path, hash] of Object.entries(this.#now().inputs)) {
      if (before.inputs[path] !== hash && wanted(path)) {
        utimesSync(join(root, path), new Date(), new Date())
      }
    }
  }

  write() {
    writeFileSync(join(root, this.file), JSON.stringify(this.#now()))
  }
}
