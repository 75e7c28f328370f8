// What a release leaves in the tree: its version, in package.json, the lock file and CHANGELOG.md.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { output, root, run, SetupError } from '../setup/run.mjs'

/** @param {string} name */
const read = (name) => readFileSync(join(root, name), 'utf8')

/** The version in package.json. */
export function released() {
  return /** @type {string} */ (JSON.parse(read('package.json')).version)
}

/** What is packed must be what is committed. */
export async function checkClean() {
  const { status, text } = await run('git', ['status', '--porcelain'])
  if (status !== 0) throw new SetupError('A release is packed from a git checkout; this is none')
  const lines = text.split('\n').filter((line) => line !== '')
  if (lines.length === 0) return
  throw new SetupError(
    `The tree has changes that are not committed:\n${lines.slice(0, 10).join('\n')}\n` +
      'Commit them or put them away (or try things out with --dirty)',
  )
}

/** @param {string} text of CHANGELOG.md @param {string} version @param {string} day */
export function withVersion(text, version, day) {
  const heading = `## ${version} (${day})`
  if (text.includes(`## ${version} (`)) {
    throw new SetupError(
      `CHANGELOG.md has version ${version} already; choose another with --version`,
    )
  }
  const lines = text.match(/^## Unreleased\n+(?=\S)(?!## )/m)
  if (!lines) throw new SetupError('CHANGELOG.md says nothing under "## Unreleased"')
  return text.replace('## Unreleased\n', `## Unreleased\n\n${heading}\n`)
}

/**
 * The change log with a version's heading. Asked for before anything is tested, too: what cannot be released is
 * refused at once.
 * @param {string} version
 */
export function planVersion(version) {
  if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) {
    throw new SetupError(`Expected a version such as 1.2.3 for --version but received ${version}`)
  }
  // Of the commit, so that the same commit gives the same files on any day.
  const day = output('git', ['-C', root, 'show', '-s', '--format=%cs', 'HEAD'])?.trim() ?? ''
  return withVersion(read('CHANGELOG.md'), version, day)
}

/**
 * Writes the version; gives what takes it back.
 * @param {string} version
 */
export function writeVersion(version) {
  const log = planVersion(version)
  const names = ['CHANGELOG.md', 'package.json', 'package-lock.json']
  const old = names.map((name) => /** @type {const} */ ([name, read(name)]))
  writeFileSync(join(root, 'CHANGELOG.md'), log)
  const before = `"version": "${released()}"`
  for (const name of ['package.json', 'package-lock.json']) {
    // The first one is this package's; in the lock file it stands twice.
    let left = name === 'package.json' ? 1 : 2
    const text = read(name).replaceAll(before, (found) =>
      left-- > 0 ? `"version": "${version}"` : found,
    )
    writeFileSync(join(root, name), text)
  }
  return () => {
    for (const [name, text] of old) writeFileSync(join(root, name), text)
  }
}
