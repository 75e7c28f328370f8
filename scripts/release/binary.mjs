// What a binary asks of the system it runs on must be what the oldest system has.
import { readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { output, SetupError } from '../setup/run.mjs'
import { OLDEST_GLIBC } from './platforms.mjs'

/** Libraries of glibc, and those that are next to the addon. */
const allowed =
  /^(lib(c|m|dl|rt|pthread)\.so\.\d|ld-linux[-\w]*\.so\.\d|libscipy_openblas\.so|libonnxruntime\.so\.1)$/
/** onnxruntime's own files are linked with the system's C++ library, at its versions of GCC 8. */
const alsoOnnxruntime = /^(libstdc\+\+\.so\.6|libgcc_s\.so\.1)$/
/** @type {Record<string, string>} */
const newest = { GLIBC: OLDEST_GLIBC, GLIBCXX: '3.4.25', CXXABI: '1.3.11', GCC: '8.0.0' }

/**
 * Is one version newer than another?
 * @param {string} a
 * @param {string} b
 */
function newer(a, b) {
  const [left = [], right = []] = [a, b].map((text) => text.split('.').map(Number))
  for (let k = 0; k < Math.max(left.length, right.length); k++) {
    const difference = (left[k] ?? 0) - (right[k] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return false
}

/**
 * The symbols that a binary defines, and those that must be there for it to load: without their versions.
 * @param {string} file
 */
function symbols(file) {
  const text = output('readelf', ['-W', '--dyn-syms', file])
  if (text === undefined) throw new SetupError(`readelf cannot read the symbols of ${file}`)
  const rows = text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([number = '']) => /^\d+:$/.test(number))
  const defined = new Set()
  /** @type {string[]} */
  const wanted = []
  for (const [, , , , bind, , section, name = ''] of rows) {
    if (name === '') continue
    if (section !== 'UND') defined.add(name.replace(/@.*/, ''))
    // One with a version is a system library's.
    else if (bind === 'GLOBAL' && !name.includes('@')) wanted.push(name)
  }
  return { defined, wanted }
}

/**
 * Symbols that neither Node nor the libraries next to a binary have: it would not load.
 * @param {string} file
 */
function lost(file) {
  const folder = dirname(file)
  const libraries = readdirSync(folder).filter((name) => /\.so(\.\d+)*$/.test(name))
  const there = libraries.map((name) => symbols(join(folder, name)).defined)
  return symbols(file)
    .wanted.filter((name) => !name.startsWith('napi_') && !there.some((own) => own.has(name)))
    .map((name) => `${basename(file)} needs ${name}, which nothing next to it has`)
}

/**
 * What stands in the way of running a Linux binary on the oldest system; empty: nothing.
 * @param {string} file
 * @returns {string[]}
 */
export function binaryFaults(file) {
  const dynamic = output('readelf', ['-W', '-d', file])
  const versions = output('readelf', ['-W', '-V', file])
  if (dynamic === undefined || versions === undefined) return [`readelf cannot read ${file}`]
  const foreign = basename(file).includes('onnxruntime')
  const needed = [...dynamic.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map((match) => match[1] ?? '')
  const faults = needed
    .filter((name) => !allowed.test(name) && !(foreign && alsoOnnxruntime.test(name)))
    .map((name) => `${basename(file)} needs ${name}`)
  // Versions that it needs, not those that it defines.
  const wanted = versions.slice(versions.indexOf('Version needs section'))
  for (const [, family = '', version = ''] of wanted.matchAll(/Name: ([A-Z]+)_([\d.]+)/g)) {
    // VERS: onnxruntime's own.
    if (foreign && family === 'VERS') continue
    const limit = newest[family]
    if (limit === undefined || newer(version, limit)) {
      faults.push(
        `${basename(file)} needs ${family}_${version}, ${limit ?? 'which is unknown'} at most`,
      )
    }
  }
  return [...faults, ...lost(file)]
}

/** @param {string} file */
export function checkBinary(file) {
  const faults = binaryFaults(file)
  if (faults.length) throw new SetupError(faults.join('\n'))
}
