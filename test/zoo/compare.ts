// One exported architecture against its float64 references.
import { readFileSync } from 'node:fs'
import { type NdArray, Network, readArray } from '../../lib/index.js'
import { relativeError } from '../support/near.js'

export interface ZooFile {
  file: string
  exporter: 'script' | 'dynamo'
  opset: number
  /** Which reference: `''`, or `'_folded'` where the exporter folded BatchNormalization away. */
  reference: string
  /** Initializers that are buffers of the module, which some exporters do not tell. */
  buffers?: string[]
  /** Initializer: the parameter whose numbers it holds. */
  holds: Record<string, string>
  operators: string[]
}

export interface About {
  /** Outputs of ntk.npy. */
  outputs: number[]
  references: Record<string, { parameters: string[]; count: number }>
  files: ZooFile[]
  /** Files that could not be made, or not kept, and why. */
  missing?: Record<string, string>
}

/** Differences are relative to the largest entry of the reference. */
export interface Figures {
  parameters: number
  output: number
  /** The kernel of two outputs with each other. */
  kernel: number
  /** The trace kernel over all outputs. */
  trace: number
  /** The worst parameter's part of the trace kernel, relative to that part's own largest entry. */
  part: number
  worst: string
  seconds: { load: number; forward: number; kernel: number; traces: number }
}

/** Parts smaller than this share of the kernel are all rounding: a key's bias under softmax. */
const negligible = 1e-7

export const about = (folder: string): About =>
  JSON.parse(readFileSync(`${folder}/about.json`, 'utf8')) as About

const largest = (data: ArrayLike<number>) =>
  Array.from(data).reduce((most, value) => Math.max(most, Math.abs(value)), 0)

async function timed<T>(work: Promise<T>): Promise<[T, number]> {
  const start = performance.now()
  return [await work, (performance.now() - start) / 1000]
}

/** @throws where parameters are missing or stand for something else than the reference's. */
export async function compare(folder: string, file: ZooFile): Promise<Figures> {
  const { outputs, references } = about(folder)
  const truth = (name: string) => readArray(`${folder}/${name}.npy`)
  const names = references[file.reference]?.parameters as string[]
  const [network, load] = await timed(
    Network.load(`${folder}/${file.file}`, { frozen: file.buffers ?? [] }),
  )
  try {
    const parameters = network.parameters.filter(({ frozen }) => !frozen)
    const held = new Map(
      parameters.map(({ name, source }) => [name, file.holds[name] ?? file.holds[source] ?? '']),
    )
    const strange = [...held]
      .filter(([, parameter]) => !names.includes(parameter))
      .map(([name]) => name)
    if (strange.length > 0) throw new Error(`these are no parameters: ${strange.join(', ')}`)
    const missing = names.filter((name) => ![...held.values()].includes(name))

    const x = Object.fromEntries(
      await Promise.all(
        network.inputs.map(
          async ({ name }, k): Promise<[string, NdArray]> => [name, await truth(`input_${k}`)],
        ),
      ),
    )
    const [output, forward] = await timed(network.run(x))
    const [pair, kernel] = await timed(network.ntk(x, { outputs }))
    const by = 'parameter'
    const [parts, traces] = await timed(network.ntk(x, { kernel: 'trace', by }))

    const reference = (await truth(`traces${file.reference}`)).data as Float64Array
    const size = reference.length / names.length
    const sum = (arrays: ArrayLike<number>[]) =>
      Float64Array.from({ length: size }, (_, e) =>
        arrays.reduce((total, array) => total + (array[e] as number), 0),
      )
    const wanted = names.map((_, k) => reference.subarray(k * size, (k + 1) * size))
    const whole = sum(wanted)
    let [part, worst] = [0, '']
    for (const [k, name] of names.entries()) {
      const found = [...parts].filter(([key]) => held.get(key) === name)
      const away = relativeError(
        sum(found.map(([, { data }]) => data)),
        wanted[k] as Float64Array,
        negligible * largest(whole),
      )
      if (away > part) [part, worst] = [away, name]
    }
    const lost = missing.filter(
      (name) => largest(wanted[names.indexOf(name)] as Float64Array) > 1e-12 * largest(whole),
    )
    if (lost.length > 0) throw new Error(`these parameters are lost: ${lost.join(', ')}`)
    return {
      parameters: parameters.reduce((count, parameter) => count + parameter.count, 0),
      output: relativeError(
        output.data as Float32Array,
        (await truth('output')).data as Float64Array,
      ),
      kernel: relativeError(pair.data, (await truth(`ntk${file.reference}`)).data as Float64Array),
      trace: relativeError(sum([...parts.values()].map(({ data }) => data)), whole),
      part,
      worst,
      seconds: { load, forward, kernel, traces },
    }
  } finally {
    await network.dispose()
  }
}
