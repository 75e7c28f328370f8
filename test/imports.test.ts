// What a program that imports the package waits for.
import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { TangentError } from '../lib/index.js'
import { checkProducts } from '../lib/native/binary.js'
import { native } from '../lib/native/index.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Prints at the end the CommonJS modules and the shared libraries that the process has loaded. */
const atEnd = `
import { createRequire } from 'node:module'
const { cache } = createRequire(import.meta.url)
process.on('exit', () => {
  console.log([...Object.keys(cache), ...process.report.getReport().sharedObjects].join('\\n'))
})
`

async function loaded(name: string, program: string) {
  // Inside the package, which finds itself by its name.
  const file = `${root}dist/imports-${name}.mjs`
  await writeFile(file, `${atEnd}\n${program}`)
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: root })
    const has = (what: string) => stdout.split('\n').some((path) => path.includes(what))
    return { drawing: has('drawing.cjs'), onnxruntime: has('onnxruntime') }
  } finally {
    await rm(file)
  }
}

test('importing the package loads neither what draws reports nor onnxruntime', async (t) => {
  const program = `await import('adaptive-tangent')`
  t.deepEqual(await loaded('all', program), { drawing: false, onnxruntime: false })
})

test('drawing a report loads what draws it', async (t) => {
  const program = `
const { sampleReport } = await import('./test/report/sample.js')
const { renderReport } = await import('adaptive-tangent')
renderReport(sampleReport())`
  t.deepEqual(await loaded('drawing', program), { drawing: true, onnxruntime: false })
})

test('opening a network and running it loads onnxruntime, and nothing that draws', async (t) => {
  const program = `
const { Network } = await import('adaptive-tangent')
const network = await Network.load('test/fixtures/mlp_init/model.onnx')
await network.run({ data: new Float32Array(784), shape: [1, 1, 28, 28] })
await network.dispose()`
  t.deepEqual(await loaded('network', program), { drawing: false, onnxruntime: true })
})

test('a core whose products are wrong is not used', (t) => {
  const core = { blas: 'OpenBLAS 0.3.30 ARMV9SME', exact: false }
  const error = t.throws(() => checkProducts(core), { instanceOf: TangentError })
  t.is(error?.code, 'FAILED')
  t.regex(
    error?.message ?? '',
    /^OpenBLAS 0\.3\.30 ARMV9SME multiplies wrongly .*OPENBLAS_CORETYPE/,
  )
  t.true(native.exact)
})
