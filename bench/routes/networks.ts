// The exported networks of the tests, with what a parameter gradient of each has to be.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type LoadOptions, type NdArray, readArray } from '../../lib/index.js'

export interface Exported {
  /** 'exporters/mlp/script17.onnx'. */
  name: string
  /** 'PyTorch, TorchScript': who wrote it. */
  exporter: string
  file: string
  /** In the file's order. */
  inputs: NdArray[]
  /** Which of the file's outputs. */
  output: number
  /** Flat outputs that the gradient is of; null: all. */
  chosen: number[] | null
  options: LoadOptions
  /** ‖∂(Σ_e w_e output_e)/∂θ‖² = wᵀKw with the float64 kernel K and w of {@link weight}. */
  truth: number
  /** Relative difference that the file's number type allows. */
  tolerance: number
}

const root = fileURLToPath(new URL('../../..', import.meta.url))
const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'))
const exporters: Record<string, string> = {
  script: 'PyTorch, TorchScript',
  dynamo: 'PyTorch, torch.export',
  jax2onnx: 'JAX (jax2onnx)',
  tf2onnx: 'Keras (tf2onnx)',
  skl2onnx: 'scikit-learn (skl2onnx)',
}

/** Of the e-th output of all samples: nothing that adds up to a constant, as probabilities do. */
export const weight = (e: number): number => Math.cos(e)

async function entry(
  place: string,
  file: string,
  about: { exporter: string; inputs: NdArray[]; kernel: string } & Partial<Exported>,
): Promise<Exported> {
  const { data } = await readArray(`${root}test/${place}/${about.kernel}`)
  const rows = Math.sqrt(data.length)
  const truth = Array.from(data as Float64Array, Number).reduce(
    (sum, value, e) => sum + weight(Math.floor(e / rows)) * weight(e % rows) * value,
    0,
  )
  const { kernel: _, ...rest } = about
  const name = `${place}/${file}`.replace('networks/', '').replace('/model.onnx', '')
  const path = `${root}test/${place}/${file}`
  const defaults = { output: 0, chosen: null, options: {}, tolerance: 1e-3 }
  return { ...defaults, ...rest, name, file: path, truth }
}

const inputs = (place: string, count: number, ending: string): Promise<NdArray[]> =>
  Promise.all(
    Array.from({ length: count }, (_, k) => readArray(`${root}test/${place}/input_${k}.${ending}`)),
  )

/** Small networks, written by five exporters in many ways. */
async function written(): Promise<Exported[]> {
  const all: Exported[] = []
  for (const net of readdirSync(`${root}test/exporters/networks`)) {
    const place = `exporters/networks/${net}`
    const { output, files } = json(`${root}test/${place}/about.json`)
    for (const { file, exporter, kernel, variant, dtype, inputs: names } of files) {
      // A quantised network is another function: there is no reference of its derivative.
      if (variant === 'quantised') continue
      const narrow = dtype === 'float16' || dtype === 'bfloat16' || variant === 'cast'
      const options: LoadOptions = variant === 'constants' ? { constants: 'all' } : {}
      if (output === 1) options.output = 'score'
      all.push(
        await entry(place, file, {
          exporter: exporters[exporter] ?? exporter,
          inputs: await inputs(place, names.length, 'npy'),
          kernel: `${kernel}.npy`,
          output,
          options,
          tolerance: narrow ? 3e-2 : 1e-3,
        }),
      )
    }
  }
  return all
}

/** The reference networks and small versions of well-known architectures, by PyTorch. */
async function fixtures(): Promise<Exported[]> {
  const all: Exported[] = []
  for (const net of [
    'cnn',
    'mlp_init',
    'mlp_trained',
    'mobilenet',
    'resnet8',
    'resnet8_bn',
    'text',
    'vit',
  ]) {
    const place = `fixtures/${net}`
    const exporter = exporters.script as string
    const own = await inputs(place, 1, 'pb')
    all.push(await entry(place, 'model.onnx', { exporter, inputs: own, kernel: 'ntk.pb' }))
  }
  for (const net of readdirSync(`${root}test/fixtures/zoo`)) {
    const place = `fixtures/zoo/${net}`
    const { outputs: chosen, files } = json(`${root}test/${place}/about.json`)
    const count = readdirSync(`${root}test/${place}`).filter((name) => /^input_/.test(name)).length
    for (const { file, exporter, reference, buffers = [] } of files) {
      const own = await inputs(place, count, 'npy')
      const kernel = `ntk${reference}.npy`
      const options = { frozen: buffers }
      const about = {
        exporter: exporters[exporter] ?? exporter,
        inputs: own,
        kernel,
        chosen,
        options,
      }
      all.push(await entry(place, file, about))
    }
  }
  return all
}

export const networks = async (): Promise<Exported[]> => [
  ...(await written()),
  ...(await fixtures()),
]
