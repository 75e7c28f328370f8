// Where the compiled core and onnxruntime are: built here (build/), or in this platform's package.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { TangentError } from '../core/errors.js'
import { checkAddressSpace } from '../core/memory.js'
import { ownVersion, packageRoot } from '../core/package.js'

const require = createRequire(import.meta.url)

/** The package with this platform's binary: adaptive-tangent-linux-x64-gnu. */
export function platformPackage(): string {
  const { platform, arch } = process
  return `adaptive-tangent-${platform}-${arch}${platform === 'linux' ? '-gnu' : ''}`
}

/** The folder of this platform's package, if it is installed. */
export function platformFolder(): string | undefined {
  try {
    return dirname(require.resolve(`${platformPackage()}/package.json`))
  } catch {
    return undefined
  }
}

/** Where a binary was found. */
export interface Binary {
  path: string
  /** Compiled in this package's own folder, or brought by the platform's package. */
  from: 'build' | 'package'
}

/**
 * A build of one's own comes first: it is there because someone made it, and in a checkout it is what
 * belongs to the sources.
 */
export function findBinary(): Binary | undefined {
  const own = join(packageRoot, 'build/Release/adaptive_tangent.node')
  if (existsSync(own)) return { path: own, from: 'build' }
  const folder = platformFolder()
  return folder === undefined
    ? undefined
    : { path: join(folder, 'adaptive_tangent.node'), from: 'package' }
}

/** Loads the compiled core, or says in one sentence why not and what to do. */
export function loadBinary(): unknown {
  const binary = findBinary()
  if (!binary) throw new TangentError('FAILED', whyNone())
  if (binary.from === 'package') checkVersion(dirname(binary.path))
  checkAddressSpace('The compiled core')
  try {
    return checkProducts(require(binary.path))
  } catch (cause) {
    if (cause instanceof TangentError) throw cause
    const [why] = (cause as Error).message.split('\n')
    throw new TangentError(
      'FAILED',
      `The compiled core ${binary.path} cannot be loaded (${why}); build it on this machine with npx adaptive-tangent build`,
      { cause },
    )
  }
}

/**
 * OpenBLAS chooses its kernel by the processor: one that does not work there must not be used.
 * @throws TangentError FAILED
 */
export function checkProducts<T extends { readonly blas: string; readonly exact: boolean }>(
  core: T,
): T {
  if (core.exact) return core
  throw new TangentError(
    'FAILED',
    `${core.blas} multiplies wrongly on this processor; choose another of its kernels with the environment variable OPENBLAS_CORETYPE (NEOVERSEN1 on arm64, HASWELL on x64)`,
  )
}

/** The two packages are one program: of different versions, they do not fit. */
function checkVersion(folder: string): void {
  const { version } = require(join(folder, 'package.json')) as { version: string }
  const own = ownVersion()
  if (version === own) return
  throw new TangentError(
    'FAILED',
    `${platformPackage()} ${version} does not belong to adaptive-tangent ${own}; install ${platformPackage()}@${own}`,
  )
}

function whyNone(): string {
  const { platform, arch } = process
  const build = 'build it from source with npx adaptive-tangent build'
  if (isMusl()) {
    return 'The C library of this system is musl, for which there is no onnxruntime; use a system with glibc, such as the image node:22-slim'
  }
  return `No compiled core for ${platform}-${arch} is installed; add the package ${platformPackage()}@${ownVersion()} (npm leaves it out with --omit=optional, or when the lock file was made elsewhere), or ${build}`
}

function isMusl(): boolean {
  if (process.platform !== 'linux') return false
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } }
  return header.glibcVersionRuntime === undefined
}

/**
 * The folder of onnxruntime-node: the platform's package carries it; `npx adaptive-tangent build` fetches
 * it; a checkout has it among its packages.
 */
export function findOnnxruntime(): string {
  const carried = platformFolder()
  const folders = [
    join(packageRoot, 'build/parts/node_modules/onnxruntime-node'),
    ...(carried ? [join(carried, 'onnxruntime')] : []),
  ]
  const folder = folders.find((path) => existsSync(join(path, 'package.json')))
  if (folder) return folder
  try {
    return dirname(require.resolve('onnxruntime-node/package.json'))
  } catch (cause) {
    throw new TangentError('FAILED', whyNone(), { cause })
  }
}

/** Of onnxruntime-node's files for this platform. */
const ofPlatform = (name: string) =>
  join(findOnnxruntime(), 'bin/napi-v6', process.platform, process.arch, name)

/** The native module of onnxruntime-node. */
export const findOnnxruntimeModule = () => ofPlatform('onnxruntime_binding.node')

/** The library that it loads; undefined where it is not where it was. */
export function onnxruntimeLibrary(): string | undefined {
  if (process.platform !== 'linux') return undefined
  const file = ofPlatform('libonnxruntime.so.1')
  return existsSync(file) ? file : undefined
}

/** onnxruntime's version, or undefined where there is none. */
export function onnxruntimeVersion(): string | undefined {
  try {
    return require(join(findOnnxruntime(), 'package.json')).version
  } catch {
    return undefined
  }
}
