// The exported fits in onnxruntime-web, in a browser.
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { exportFitted } from '../../lib/fit/export.js'
import { launch } from '../report/browser.js'
import { near } from '../support/near.js'
import { first, fitOf } from './fits.js'

const runtime = fileURLToPath(
  new URL('../../../node_modules/onnxruntime-web/dist', import.meta.url),
)
const types: Record<string, string> = {
  '.html': 'text/html',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
}

/** Serves the runtime's files, an empty page and models; returns where. */
async function serve(models: ReadonlyMap<string, Uint8Array>) {
  const server = createServer(async ({ url = '/' }, response) => {
    const name = url.slice(1)
    const body =
      name === 'page.html'
        ? '<!doctype html><title>page</title>'
        : (models.get(name) ?? (await readFile(join(runtime, name)).catch(() => undefined)))
    response.writeHead(body === undefined ? 404 : 200, {
      'content-type': types[extname(name)] ?? 'application/octet-stream',
    })
    response.end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { server, at: `http://127.0.0.1:${port}` }
}

/** Runs in the page. */
async function predict(given: {
  at: string
  model: string
  shape: number[]
  data: number[]
  whole: boolean
}) {
  const load = (place: string) => import(place)
  const ort = await load(`${given.at}/ort.wasm.min.mjs`)
  ort.env.wasm.numThreads = 1
  ort.env.wasm.wasmPaths = `${given.at}/`
  const session = await ort.InferenceSession.create(`${given.at}/${given.model}`)
  const data = given.whole ? BigInt64Array.from(given.data, BigInt) : Float32Array.from(given.data)
  const x = new ort.Tensor(given.whole ? 'int64' : 'float32', data, given.shape)
  const { prediction } = await session.run({ [session.inputNames[0]]: x })
  return { data: Array.from(prediction.data as Float32Array), shape: [...prediction.dims] }
}

test('onnxruntime-web predicts as the models do', async (t) => {
  const names = ['mlp_init', 'cnn', 'resnet8_bn', 'vit', 'text']
  const fitted = await Promise.all(names.map(fitOf))
  const models = new Map<string, Uint8Array>()
  for (const [k, { network, fitted: model }] of fitted.entries()) {
    models.set(`${names[k]}.onnx`, await exportFitted(model, network))
  }
  const { server, at } = await serve(models)
  t.teardown(() => server.close())
  const browser = await launch()
  t.teardown(() => browser.close())
  const page = await browser.newPage()
  await page.goto(`${at}/page.html`)
  for (const [k, { network, fitted: model, width, input }] of fitted.entries()) {
    const x = first(input, 5)
    const found = await page.evaluate(predict, {
      at,
      model: `${names[k]}.onnx`,
      shape: x.shape,
      data: Array.from(x.data, Number),
      whole: x.data instanceof BigInt64Array,
    })
    t.deepEqual(found.shape, [5, width])
    near(t, found.data, (await model.predict(network, x)).data, 1e-5, names[k])
    await network.dispose()
  }
})
