// `npm run bench -- routes`: which exported networks give a gradient of their parameters here, by
// jaxonnxruntime and JAX, and by onnx2torch and torch.func. Writes docs/comparison.md.
import { mkdir, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Network, writeNpy } from '../../lib/index.js'
import { type Exported, networks, weight } from './networks.js'
import { page } from './page.js'
import { type Answer, ask, install, type Route } from './python.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const folder = `${root}out/routes`

/** The same here, and what the other routes are told of the network. */
async function here(net: Exported): Promise<{ answer: Answer; job: object }> {
  const { name, file, options, inputs, output, chosen } = net
  const network = await Network.load(file, { ...options, unsupported: 'defer' })
  try {
    const names = network.inputs.map((input) => input.name)
    const arrays = Object.fromEntries(names.map((input, k) => [input, inputs[k]]))
    const paths: Record<string, string> = {}
    for (const [k, input] of names.entries()) {
      paths[input] = `${folder}/inputs/${name.replaceAll('/', '_')}-${k}.npy`
      const array = inputs[k]
      if (array) await writeNpy(paths[input], array)
    }
    const parameters = network.parameters.filter(({ frozen }) => !frozen).map((each) => each.name)
    const samples = inputs[0]?.shape[0] ?? 0
    const job = { name, file, inputs: paths, output, chosen, samples, parameters, truth: net.truth }
    const answer = await squared(network, arrays as Parameters<Network['run']>[0], chosen, name)
    return { answer, job }
  } finally {
    await network.dispose()
  }
}

async function squared(
  network: Network,
  x: Parameters<Network['run']>[0],
  chosen: number[] | null,
  name: string,
): Promise<Answer> {
  try {
    const { shape } = await network.run(x)
    const [n = 0, ...rest] = shape
    const width = rest.reduce((product, size) => product * size, 1)
    const data = new Float32Array(n * width)
    const outputs = chosen ?? Array.from({ length: width }, (_, o) => o)
    for (let i = 0; i < n; i += 1) {
      for (const [k, o] of outputs.entries()) data[i * width + o] = weight(i * outputs.length + k)
    }
    const gradient = await network.vjp(x, { data, shape: [n, width] })
    let sum = 0
    for (const { data: numbers } of gradient.values()) for (const g of numbers) sum += g * g
    return { name, squared: sum }
  } catch (error) {
    return { name, stage: 'gradient', reason: (error as Error).message }
  }
}

const nets = await networks()
await mkdir(`${folder}/inputs`, { recursive: true })
const own = new Map<string, Answer>()
const jobs: { name: string }[] = []
for (const net of nets) {
  const { answer, job } = await here(net)
  own.set(net.name, answer)
  jobs.push(job as { name: string })
}
process.stdout.write(`here: ${[...own.values()].filter((a) => a.squared !== undefined).length}\n`)
const columns = [{ title: 'adaptive-tangent', versions: '', answers: own }]
const titles = { jax: 'jaxonnxruntime + JAX', torch: 'onnx2torch + torch.func' }
const missing: string[] = []
for (const route of Object.keys(titles) as Route[]) {
  const found = await install(route)
  if ('missing' in found) {
    missing.push(`${titles[route]} could not be installed: ${found.missing}`)
    continue
  }
  const answers = await ask(route, jobs, async (left) => {
    const path = `${folder}/${route}.json`
    await writeFile(path, JSON.stringify(left))
    return path
  })
  process.stdout.write(
    `${route}: ${[...answers.values()].filter((a) => a.squared !== undefined).length}\n`,
  )
  columns.push({ title: titles[route], versions: found.versions, answers })
}
await writeFile(`${root}docs/comparison.md`, page(nets, columns, missing))
