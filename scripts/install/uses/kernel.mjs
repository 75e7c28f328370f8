// A first kernel, where the package is installed: prints seconds. Without `await` outside a function, so
// that it can be bundled as CommonJS too.
import { mkdirSync } from 'node:fs'
import { buildMlp, Network, writeOnnx } from 'adaptive-tangent'

async function main() {
  const start = performance.now()
  mkdirSync('made', { recursive: true })
  const model = await buildMlp({ inputs: 8, hidden: [16], outputs: 3, seed: 1 })
  await writeOnnx('made/net.onnx', model)
  const network = await Network.load('made/net.onnx')
  const x = { shape: [4, 8], data: Float32Array.from({ length: 32 }, (_, k) => Math.sin(k)) }
  const kernel = await network.ntk(x, { kernel: 'trace' })
  const jacobian = await network.jacobian(x)
  // The trace of J·Jᵀ by its two ways.
  let squares = 0
  for (const { data } of jacobian.values()) for (const value of data) squares += value * value
  const difference = Math.abs(kernel.trace() / squares - 1)
  if (!(difference < 1e-4)) throw new Error(`the kernel's trace is off by ${difference}`)
  await network.dispose()
  console.log(`kernel ${((performance.now() - start) / 1000).toFixed(2)}`)
}

void main()
