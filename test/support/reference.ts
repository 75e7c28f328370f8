// The reference networks: float64 truth computed apart from this project.
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type NdArray, readTensor } from '../../lib/index.js'

const folder = fileURLToPath(new URL('../../../test/fixtures/', import.meta.url))

export const fixture = (name: string, file: string) => `${folder}${name}/${file}`

export interface Oracle {
  samples: number
  outputs: number
  parameters: Record<string, number[]>
  parameter_count: number
  ntk_trace_by_parameter: Record<string, number>
  jacobians: string[]
}

export interface Reference {
  name: string
  model: string
  input: NdArray
  output: NdArray
  ntk: NdArray
  oracle: Oracle
  jacobian(parameter: string): Promise<NdArray | undefined>
}

export async function reference(name: string): Promise<Reference> {
  return {
    name,
    model: fixture(name, 'model.onnx'),
    input: await readTensor(fixture(name, 'input_0.pb')),
    output: await readTensor(fixture(name, 'output_0.pb')),
    ntk: await readTensor(fixture(name, 'ntk.pb')),
    oracle: JSON.parse(readFileSync(fixture(name, 'oracle.json'), 'utf8')) as Oracle,
    async jacobian(parameter) {
      const file = fixture(name, `jacobian.${parameter}.pb`)
      return existsSync(file) ? readTensor(file) : undefined
    },
  }
}
