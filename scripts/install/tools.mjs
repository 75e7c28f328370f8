// What is used with a project's own tools, which a bare root does not have: bundles by esbuild and webpack,
// the types in each of TypeScript's resolutions.
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, run } from '../setup/run.mjs'

/** TypeScript 5.9 is the last with all of them. */
const TOOLS = 'typescript@5.9 @types/node@20 esbuild@0.28 webpack@5 webpack-cli@6'

/** What the program is called and what the compiler is told, by the resolution's name. */
const RESOLUTIONS = {
  node10: ['types.ts', '--module commonjs --moduleResolution node10'],
  'node16, ES module': ['types.mts', '--module node16'],
  'node16, CommonJS': ['types.cts', '--module node16'],
  'nodenext, ES module': ['types.mts', '--module nodenext'],
  'nodenext, CommonJS': ['types.cts', '--module nodenext'],
  bundler: ['types.ts', '--module esnext --moduleResolution bundler'],
}

const esbuild = (/** @type {string} */ format, /** @type {string} */ file) =>
  `npx --no-install esbuild kernel.mjs --bundle --platform=node --external:adaptive-tangent --format=${format} --outfile=dist/${file}`

/** Each writes dist/packed.mjs and dist/packed.cjs. */
const BUNDLERS = {
  esbuild: `${esbuild('esm', 'packed.mjs')} && ${esbuild('cjs', 'packed.cjs')}`,
  webpack: 'npx --no-install webpack --config webpack.config.js',
}

const STRICT = '--strict --noEmit --target es2022 --lib es2023,esnext.disposable --types node'

/**
 * @param {(title: string, body: () => Promise<string>) => Promise<void>} check
 * @param {string} install the command that installs the package
 */
export async function onThisSystem(check, install) {
  const folder = mkdtempSync(join(tmpdir(), 'adaptive-tangent-'))
  cpSync(join(root, 'scripts/install/uses'), folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "name": "app", "type": "module" }\n')
  /** @param {string} command */
  const succeed = async (command) => {
    const { status, text } = await run('sh', ['-c', command], { cwd: folder })
    if (status !== 0) throw new Error(`${command}\nended with ${status}:\n${text}`)
    return ''
  }
  await check('installs next to TypeScript and bundlers', async () => {
    await succeed(`npm install --ignore-scripts --no-audit --no-fund ${TOOLS}`)
    return succeed(install)
  })
  for (const [name, [file = '', words]] of Object.entries(RESOLUTIONS)) {
    await check(`types: TypeScript's resolution ${name}`, () => {
      if (file !== 'types.mts') cpSync(join(folder, 'types.mts'), join(folder, file))
      return succeed(`npx --no-install tsc ${STRICT} ${words} ${file}`)
    })
  }
  for (const [bundler, command] of Object.entries(BUNDLERS)) {
    await check(`${bundler} bundles a program that leaves the package outside`, async () => {
      await succeed(`${command} && node dist/packed.mjs`)
      // CommonJS runs where Node allows `require` of an ES module.
      return 'require_module' in process.features ? succeed('node dist/packed.cjs') : ''
    })
  }
  rmSync(folder, { recursive: true })
}
