// `npm run architectures -- FOLDER`: real architectures, exported by the scripts beside this file,
// against float64 references. Prints the table of docs/architectures.md.
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type NdArray, Network, readArray, TangentError } from '../../../lib/index.js'

const [folder] = process.argv.slice(2)
if (!folder) throw new Error('Usage: npm run architectures -- FOLDER [network …]')
const names = process.argv.length > 3 ? process.argv.slice(3) : readdirSync(folder).sort()

/** Largest difference, relative to the largest entry of the reference. */
function difference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let worst = found.length === expected.length ? 0 : Number.POSITIVE_INFINITY
  let scale = 0
  for (let i = 0; i < expected.length; i++) {
    worst = Math.max(worst, Math.abs((found[i] as number) - (expected[i] as number)))
    scale = Math.max(scale, Math.abs(expected[i] as number))
  }
  return worst / scale
}

/** The default exporter stores equal parameters once: the scales of all norms at initialisation. */
const merged = new Set(['bert', 'gpt2'])

interface Row {
  nodes: number
  parameters: number
  output: number
  ntk: number
  seconds: number
}

async function measure(at: string): Promise<Row> {
  await using network = await Network.load(join(at, 'model.onnx'), {
    untied: merged.has(basename(at)),
  })
  const x: Record<string, NdArray> = {}
  for (const [k, { name }] of network.inputs.entries())
    x[name] = await readArray(join(at, `input_${k}.npy`))
  const [output, ntk] = [
    await readArray(join(at, 'output.npy')),
    await readArray(join(at, 'ntk.npy')),
  ]
  const y = await network.run(x)
  const began = performance.now()
  const kernel = await network.ntk(x)
  return {
    nodes: [...network.operators.values()].reduce((a, b) => a + b, 0),
    parameters: network.parameters.reduce((sum, { count }) => sum + count, 0),
    output: difference(y.data as Float32Array, output.data as Float64Array),
    ntk: difference(kernel.data, ntk.data as Float64Array),
    seconds: (performance.now() - began) / 1000,
  }
}

console.log('| network | nodes | parameters | in the reference | output | NTK | seconds |')
console.log('| --- | --- | --- | --- | --- | --- | --- |')
for (const name of names) {
  const at = join(folder, name)
  const about: { parameters: number } = JSON.parse(readFileSync(join(at, 'about.json'), 'utf8'))
  try {
    const { nodes, parameters, output, ntk, seconds } = await measure(at)
    if (!(output < 1e-3 && ntk < 1e-3)) process.exitCode = 1
    console.log(
      `| ${name} | ${nodes} | ${parameters} | ${about.parameters} | ${output.toExponential(1)} | ${ntk.toExponential(1)} | ${seconds.toFixed(1)} |`,
    )
  } catch (error) {
    if (!(error instanceof TangentError)) throw error
    process.exitCode = 1
    console.log(`| ${name} | | | ${about.parameters} | ${error.message} | | |`)
  }
}
