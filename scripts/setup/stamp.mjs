// A step of the set-up is done again unless its inputs and its outputs have the same contents as when
// it last succeeded. Never by modification times: those lie after a checkout or a copy.
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

/**
 * An output's size, time and digest. The digest is read only where size and time are not those of
 * the record before.
 * @param {string} path
 * @param {string | undefined} before
 */
function identity(path, before) {
  const { size, mtimeMs } = statSync(join(root, path))
  const quick = `${size} ${mtimeMs} `
  return before?.startsWith(quick) ? before : quick + digest(path)
}

/** @param {string} record of an output: its contents alone */
const contents = (record) => record.split(' ').at(-1)

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

/**
 * @typedef {{ facts: string, inputs: Record<string, string>, outputs: Record<string, string> }} State
 * @param {State} a
 * @param {State} b
 */
function sameContents(a, b) {
  const [left, right] = [a, b].map(({ facts, inputs, outputs }) => [
    facts,
    inputs,
    Object.entries(outputs).map(([path, record]) => [path, contents(record)]),
  ])
  return JSON.stringify(left) === JSON.stringify(right)
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
    /** @type {Record<string, string>} of inputs, when it was last asked whether they are current */
    this.seen = {}
  }

  /** @param {Record<string, string>} [outputs] the record before */
  #now(outputs = {}) {
    return {
      facts: this.facts,
      inputs: Object.fromEntries(this.inputs().map((path) => [path, digest(path)])),
      outputs: Object.fromEntries(
        this.outputs().map((path) => [path, identity(path, outputs[path])]),
      ),
    }
  }

  current() {
    const before = read(this.file)
    const now = this.#now(before?.outputs)
    this.seen = now.inputs
    if (!before || Object.keys(before.outputs).length === 0) return false
    const same = sameContents(before, now)
    // Copied files: their times are remembered, so that the next look is a quick one.
    if (same && JSON.stringify(before) !== JSON.stringify(now)) this.#keep(now)
    return same
  }

  /** @param {State} state */
  #keep(state) {
    try {
      writeFileSync(join(root, this.file), JSON.stringify(state))
    } catch {
      // A checkout that cannot be written to is looked at slowly.
    }
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

  /** After the work: an input that changed meanwhile may not be in the outputs. */
  write() {
    const now = this.#now()
    const inputs = Object.fromEntries(
      Object.entries(now.inputs).map(([path, hash]) => [path, this.seen[path] ?? hash]),
    )
    writeFileSync(join(root, this.file), JSON.stringify({ ...now, inputs }))
  }
}
