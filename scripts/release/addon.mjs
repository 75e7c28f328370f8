// The addon of one platform, compiled on this machine for that one.
import { copyFileSync, mkdirSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { headerFolders } from '../setup/native.mjs'
import { output, root, step } from '../setup/run.mjs'
import { checkBinary } from './binary.mjs'
import { compiler, openblas, tbb, WORK } from './parts.mjs'

/**
 * Builds the addon and copies it and its libraries into a folder.
 * @param {import('./platforms.mjs').Platform} platform
 * @param {string} folder
 */
export async function buildAddon(platform, folder) {
  const tools = await compiler(platform)
  const blas = join(await openblas(platform), 'scipy_openblas32')
  const build = join(root, WORK, platform.name, 'build')
  mkdirSync(build, { recursive: true })
  const options = {
    CMAKE_BUILD_TYPE: 'Release',
    CMAKE_SYSTEM_NAME: 'Linux',
    CMAKE_SYSTEM_PROCESSOR: platform.processor,
    CMAKE_CXX_COMPILER: tools.cxx,
    CMAKE_AR: tools.ar,
    CMAKE_RANLIB: tools.ranlib,
    AT_OPENBLAS: blas,
    AT_TBB_SOURCE: await tbb(),
    AT_NODE_HEADERS: headerFolders(),
  }
  const generator = output('ninja', ['--version']) === undefined ? 'Unix Makefiles' : 'Ninja'
  const { env } = tools
  await step(
    `Configuring for ${platform.name}`,
    'cmake',
    [
      ...['-G', generator, '-S', root, '-B', build],
      ...Object.entries(options).map(([name, value]) => `-D${name}=${value}`),
    ],
    { env },
  )
  const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism())
  await step(
    `Compiling for ${platform.name} (minutes, the first time)`,
    'cmake',
    ['--build', build, '--parallel', jobs],
    { env },
  )
  // The library first: what the addon needs of it must be there.
  for (const [name, from] of Object.entries({
    'libscipy_openblas.so': join(blas, 'lib'),
    'adaptive_tangent.node': build,
  })) {
    const file = join(folder, name)
    rmSync(file, { force: true })
    copyFileSync(join(from, name), file)
    checkBinary(file)
  }
}
