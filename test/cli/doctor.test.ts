// What an installation says of itself, whole and in parts.
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
const platform = `adaptive-tangent-${process.platform}-${process.arch}${process.platform === 'linux' ? '-gnu' : ''}`

function run(file: string, ...args: string[]) {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, [file, ...args], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

/** This package installed, with or without a platform's package of some version. */
async function installed(
  t: { teardown(fn: () => Promise<void>): void },
  platformVersion?: string,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'adaptive-tangent-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const own = join(folder, 'node_modules/adaptive-tangent')
  await mkdir(join(own, 'dist'), { recursive: true })
  await cp(join(root, 'package.json'), join(own, 'package.json'))
  await cp(join(root, 'dist/package'), join(own, 'dist/package'), { recursive: true })
  if (platformVersion !== undefined) {
    const other = join(folder, 'node_modules', platform)
    await mkdir(join(other, 'onnxruntime'), { recursive: true })
    const addon = 'adaptive_tangent.node'
    await symlink(join(root, 'build/Release', addon), join(other, addon))
    await writeFile(join(other, 'package.json'), JSON.stringify({ version: platformVersion }))
    for (const name of ['dist', 'bin', 'package.json']) {
      const source = join(root, 'node_modules/onnxruntime-node', name)
      await symlink(source, join(other, 'onnxruntime', name))
    }
  }
  return join(own, 'dist/package/cli.js')
}

test('doctor of a checkout: binary, BLAS, onnxruntime, threads, memory, devices', async (t) => {
  const main = join(root, 'dist/lib/cli/main.js')
  const { code, stdout } = await run(main, 'doctor', '--json', '--threads', '2')
  t.is(code, 0)
  const found = JSON.parse(stdout)
  t.is(found.version, version)
  t.is(found.binary.path, join(root, 'build/Release/adaptive_tangent.node'))
  t.true(found.binary.operators > 100)
  t.true(found.binary.blas.gflops.one > 0)
  t.true(found.binary.blas.kernel.length > 0)
  t.is(found.threads, 2)
  t.true(found.memory.total >= found.memory.budget)
  const runtime = await readFile(join(root, 'node_modules/onnxruntime-node/package.json'), 'utf8')
  t.is(found.onnxruntime.version, JSON.parse(runtime).version)
  t.deepEqual(
    found.devices.map((device: { name: string; works: boolean }) => [device.name, device.works]),
    [
      ['cpu', true],
      ['cuda', false],
    ],
  )
  const words = await run(main, 'doctor')
  t.true(words.stdout.includes(`kernel ${found.binary.blas.kernel}`))
})

test('the binary and onnxruntime come from the platform’s package', async (t) => {
  const { code, stdout } = await run(await installed(t, version), 'doctor', '--json')
  t.is(code, 0, stdout)
  const found = JSON.parse(stdout)
  t.is(found.binary.from, platform)
  t.true(found.onnxruntime.path.endsWith(`${platform}/onnxruntime`))
})

test('without a binary doctor says why and what to do, and the rest works', async (t) => {
  const main = await installed(t)
  const { code, stdout } = await run(main, 'doctor', '--json')
  t.is(code, 1)
  const found = JSON.parse(stdout)
  const why = `No compiled core for ${process.platform}-${process.arch} is installed; add the package ${platform}@${version} `
  t.true(found.binary.why.startsWith(why), found.binary.why)
  t.regex(found.binary.why, /npx adaptive-tangent build$/)
  t.false(found.onnxruntime.works)
  t.deepEqual(found.devices[0].why, found.binary.why)
  t.is((await run(main, '--version')).stdout, `${version}\n`)
  t.is((await run(main, 'info', '--version')).stdout, `${version}\n`)
  const info = await run(main, 'info', join(root, 'examples/fashion-mnist/mlp_init.onnx'))
  t.is(info.code, 1)
  t.is(info.stderr, `adaptive-tangent: ${found.binary.why}\n`)
})

test('a binary of another version is refused by name', async (t) => {
  const { code, stdout } = await run(await installed(t, '99.0.0'), 'doctor', '--json')
  t.is(code, 1)
  t.is(
    JSON.parse(stdout).binary.why,
    `${platform} 99.0.0 does not belong to adaptive-tangent ${version}; install ${platform}@${version}`,
  )
})
