// Fewer, larger files of a bundle. esbuild makes one for every set of entries that share code, some forty on
// the way of a command, and Node takes about a millisecond to find, read and link each.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { root } from './run.mjs'

/** @typedef {import('esbuild').Metafile['outputs']} Outputs */

/**
 * The place of a file's code.
 * @typedef {{ file: string, renamed: (name: string) => string }} Moved
 */

/**
 * What is loaded with a file, itself first.
 * @param {Outputs} outputs
 * @param {string} path
 * @param {Set<string>} seen
 */
function loadedWith(outputs, path, seen = new Set()) {
  if (seen.has(path)) return seen
  seen.add(path)
  for (const { path: other, kind } of outputs[path]?.imports ?? []) {
    if (kind === 'import-statement' && outputs[other]) loadedWith(outputs, other, seen)
  }
  return seen
}

/**
 * Files by which of the roots load them. A file is loaded by all that load what imports it, so that no two
 * groups import each other.
 * @param {Outputs} outputs
 * @param {string[]} roots
 */
function grouped(outputs, roots) {
  const loaded = roots.map((path) => loadedWith(outputs, path))
  /** @type {Map<string, string[]>} */
  const groups = new Map()
  for (const path of Object.keys(outputs)) {
    const by = loaded.flatMap((paths, k) => (paths.has(path) ? [k] : [])).join('')
    if (by === '' || roots.includes(path)) continue
    groups.set(by, [...(groups.get(by) ?? []), path])
  }
  return groups
}

/**
 * The code of several files as one, whose names are unique.
 * @param {string} folder
 * @param {Outputs} outputs
 * @param {string[]} parts
 * @param {Map<string, Moved>} moved
 */
async function joined(folder, outputs, parts, moved) {
  const esbuild = createRequire(import.meta.url)('esbuild')
  const inside = new Set(parts.map((path) => basename(path)))
  const contents = parts.map((path) => {
    const from = JSON.stringify(`./${basename(path)}`)
    const names = outputs[path]?.exports.map(
      (name) => `${name} as ${moved.get(basename(path))?.renamed(name)}`,
    )
    return `import ${from}\nexport { ${names?.join(', ')} } from ${from}`
  })
  const { outputFiles } = await esbuild.build({
    stdin: { contents: contents.join('\n'), resolveDir: folder, sourcefile: 'parts.js' },
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    legalComments: 'none',
    logLevel: 'error',
    plugins: [
      {
        name: 'parts',
        /** @param {import('esbuild').PluginBuild} build */
        setup(build) {
          build.onResolve({ filter: /^\.\// }, ({ path }) =>
            inside.has(basename(path)) ? undefined : { path, external: true },
          )
        },
      },
    ],
  })
  return outputFiles[0].text
}

/**
 * A file's text with what it imports from where that is now.
 * @param {string} text
 * @param {Map<string, Moved>} moved
 */
function redirected(text, moved) {
  return text.replaceAll(
    /^import (?:\{([^}]*)\} from )?"\.\/([^"]+)";$/gm,
    (whole, list = '', path) => {
      const at = moved.get(path)
      if (!at) return whole
      const names = list.split(',').filter((/** @type {string} */ name) => name.trim() !== '')
      const imports = names.map((/** @type {string} */ name) => {
        const [imported = '', local = imported] = name.trim().split(' as ')
        return `${at.renamed(imported)} as ${local}`
      })
      return `import ${imports.length > 0 ? `{ ${imports.join(', ')} } from ` : ''}"./${at.file}";`
    },
  )
}

/**
 * Joins the files that the same roots load. What is loaded later by its own name keeps a file that passes on
 * what it held.
 * @param {string} folder
 * @param {Outputs} outputs
 * @param {string[]} entries sources of the roots
 */
export async function mergeFiles(folder, outputs, entries) {
  const roots = entries.map((entry) => {
    const found = Object.keys(outputs).find((path) => outputs[path]?.entryPoint === entry)
    if (!found) throw new Error(`${entry} starts no file of the bundle`)
    return found
  })
  const groups = [...grouped(outputs, roots)]
  /** @type {Map<string, Moved>} */
  const moved = new Map()
  for (const [by, parts] of groups) {
    for (const [k, path] of parts.entries()) {
      const file = `shared-${by}.js`
      moved.set(basename(path), { file, renamed: (name) => `${name}_${k}` })
    }
  }
  const texts = new Map()
  for (const [by, parts] of groups) {
    texts.set(`shared-${by}.js`, await joined(folder, outputs, parts, moved))
  }
  for (const path of Object.keys(outputs)) {
    const name = basename(path)
    const { entryPoint, exports = [] } = outputs[path] ?? {}
    const at = moved.get(name)
    if (!at) texts.set(name, readFileSync(join(root, path), 'utf8'))
    else if (!entryPoint) rmSync(join(root, path))
    else {
      const names = exports.map((own) => `${at.renamed(own)} as ${own}`)
      texts.set(name, `export { ${names.join(', ')} } from "./${at.file}";\n`)
    }
  }
  for (const [name, text] of texts) writeFileSync(join(folder, name), redirected(text, moved))
}
