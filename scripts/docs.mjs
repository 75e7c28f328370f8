// `npm run docs` writes the API reference, docs/api, from the sources' TSDoc; with --check it only
// tells whether what is committed is what would be written. `npm run docs:site [-- FOLDER]` writes a
// site of all pages and the API, out/site, that needs no server and no network.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './setup/run.mjs'

/**
 * @param {string} out
 * @param {string} options
 */
function generate(out, options = 'typedoc.json') {
  const typedoc = join(root, 'node_modules/.bin/typedoc')
  const { status } = spawnSync(
    process.execPath,
    [typedoc, '--options', options, '--logLevel', 'Warn', '--out', out],
    { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
  )
  return status === 0
}

/**
 * All pages below a folder, by path.
 * @param {string} folder
 */
function pages(folder) {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
  return new Map(
    names
      .filter((name) => name.endsWith('.md'))
      .map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  )
}

const [, , , site = join(root, 'out/site')] = process.argv
const committed = join(root, 'docs/api')
if (process.argv.includes('--check')) {
  const fresh = mkdtempSync(join(tmpdir(), 'adaptive-tangent-docs-'))
  try {
    if (generate(fresh)) {
      const [now, then] = [pages(fresh), pages(committed)]
      const names = new Set([...now.keys(), ...then.keys()])
      const stale = [...names].filter((name) => now.get(name) !== then.get(name))
      if (stale.length > 0) {
        process.stderr.write(`docs/api is stale (${stale.join(', ')}): run npm run docs\n`)
        process.exitCode = 1
      }
    } else {
      process.exitCode = 1
    }
  } finally {
    rmSync(fresh, { recursive: true })
  }
} else if (process.argv.includes('--site')) {
  if (generate(site, 'scripts/docs/site.json')) process.stdout.write(`${site}/index.html\n`)
  else process.exitCode = 1
} else if (!generate(committed)) {
  process.exitCode = 1
}
