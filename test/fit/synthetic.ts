import { readFileSync } from 'node:fs'
import type { AdaptiveOptions } from '../../lib/fit/adaptive.js'
import { TangentFeatures } from '../../lib/fit/features.js'
import { readTensor } from '../../lib/io/index.js'

export const folder = 'test/fixtures/adaptive/synthetic'

export interface Reference {
  left: number | null
  right: number | null
  ridge: number
  structure?: 'diagonal' | 'flat'
  power?: number
  objective: number
  penalty: number
  fixed_feature_start: number
  singular_values: Record<string, number[]>
  predictions: number[]
  fit: number[]
}

export const settings = [
  'diagonal_1_ridge_0.1',
  'diagonal_2_ridge_0.1',
  'flat_1_ridge_0.0',
  'flat_2_ridge_0.1',
  'left_2_right_1_ridge_0.01',
  'left_2_right_2_ridge_0.0',
  'left_2_right_2_ridge_0.1',
  'left_2_right_None_ridge_0.1',
  'left_None_right_1_ridge_0.0',
  'left_None_right_None_ridge_0.1',
]

export function reference(name: string): Reference {
  return JSON.parse(readFileSync(`${folder}/${name}.json`, 'utf8'))
}

/** The options that a reference was made with. */
export function optionsOf({ left, right, ridge, structure, power }: Reference): AdaptiveOptions {
  const price = { absolute: 1 }
  if (structure) return { structure, power, ridge, price }
  return { left: left ?? 'none', right: right ?? 'none', ridge, price }
}

export async function load(prefix: '' | 'test_' = ''): Promise<TangentFeatures> {
  const blocks = []
  let samples = 0
  for (const index of [0, 1, 2]) {
    const { data, shape } = await readTensor(`${folder}/${prefix}features_${index}.pb`)
    const [n = 0, m = 0, k = 0] = shape
    samples = n
    blocks.push({ name: `features_${index}`, m, k, x: data as Float64Array })
  }
  return TangentFeatures.from(samples, 1, blocks)
}

export async function targets(): Promise<Float64Array> {
  return (await readTensor(`${folder}/residual.pb`)).data as Float64Array
}
