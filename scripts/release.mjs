// `npm run release` checks, tests and packs a version; `npm run release -- --pack DIR` only packs.
//   --pack DIR        pack into DIR, without tests
//   --version X.Y.Z   the version that is released; default: that of package.json
//   --platform NAME   only this platform's package; again for others
//   --twice           pack the commit once more, from a clone, and compare the bytes
//   --dirty           pack what is here, committed or not: for trying things out
// Nothing is published from here: the workflow .github/workflows/release.yml does that from a tag.
import { mkdirSync, rmSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { buildAddon } from './release/addon.mjs'
import { packAgain } from './release/again.mjs'
import { checkClean, planVersion, released, writeVersion } from './release/history.mjs'
import { checkTools } from './release/needs.mjs'
import { WORK } from './release/parts.mjs'
import { platforms } from './release/platforms.mjs'
import { packAll, stageMain, stagePlatform } from './release/stage.mjs'
import { locked } from './setup/lock.mjs'
import { installPackages, npm, packagesCurrent } from './setup/packages.mjs'
import { root, run, SetupError, say } from './setup/run.mjs'

const { values } = parseArgs({
  options: {
    pack: { type: 'string' },
    version: { type: 'string' },
    platform: { type: 'string', multiple: true },
    twice: { type: 'boolean', default: false },
    dirty: { type: 'boolean', default: false },
  },
})

/** @param {string[]} names */
function chosen(names) {
  const unknown = names.find((name) => !platforms.some((platform) => platform.name === name))
  if (unknown !== undefined) {
    const known = platforms.map(({ name }) => name).join(', ')
    throw new SetupError(`Expected a platform (${known}) for --platform but received ${unknown}`)
  }
  return names.length ? platforms.filter(({ name }) => names.includes(name)) : platforms
}

/** @param {string[]} words of npm run */
async function mustPass(...words) {
  const [command = 'npm', ...first] = npm()
  const line = ['npm', 'run', ...words].join(' ')
  say(`${line} …`)
  const { status } = await run(command, [...first, 'run', ...words], { show: true })
  if (status !== 0) throw new SetupError(`${line} failed: there is no release`)
}

const wanted = () => chosen(values.platform ?? [])

/** @param {string} folder */
async function pack(folder) {
  const stage = join(root, WORK, 'stage')
  rmSync(stage, { recursive: true, force: true })
  const folders = [await stageMain(join(stage, 'main'))]
  for (const platform of wanted()) {
    const own = join(stage, platform.name)
    mkdirSync(own, { recursive: true })
    await buildAddon(platform, own)
    await stagePlatform(platform, own)
    folders.push(own)
  }
  mkdirSync(folder, { recursive: true })
  const files = await packAll(folders, folder)
  for (const file of files) {
    process.stdout.write(`${relative(process.cwd(), file) || file}\n`)
  }
  if (values.twice) {
    const names = wanted().map(({ name }) => name)
    await packAgain(files, names)
  }
}

/**
 * Built, checked, tested, packed and tried. What fails leaves the tree as it was, so that the command can be given again.
 * @param {string} folder
 */
async function release(folder) {
  const version = values.version ?? released()
  rmSync(folder, { recursive: true, force: true })
  // Types are checked against messages that the build makes.
  await mustPass('setup', '--', '--tests')
  await mustPass('check')
  await mustPass('test')
  // Minutes later.
  await checkClean()
  const takeBack = writeVersion(version)
  try {
    await pack(folder)
    await mustPass('test:install', '--', folder)
  } catch (error) {
    takeBack()
    throw error
  }
  say(`Packed ${version}. Commit the version, tag it v${version} and push the tag to publish.`)
}

try {
  const whole = values.pack === undefined
  if (values.twice && (values.dirty || whole)) {
    throw new SetupError(
      'Expected --pack DIR with --twice, and no --dirty: a commit is packed twice',
    )
  }
  if (!values.dirty) await checkClean()
  if (whole) planVersion(values.version ?? released())
  checkTools(wanted(), { tried: whole })
  if (!packagesCurrent()) await locked(installPackages)
  const folder = resolve(values.pack ?? join(root, 'out/release'))
  if (whole) await release(folder)
  else await pack(folder)
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`\n${error.message}\n`)
  process.exitCode = 1
}
