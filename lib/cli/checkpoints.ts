// Checkpoints that a command line names: files, and folders of them.
import { stat } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import { checkpointFiles, unitOf } from '../alignment/checkpoint-files.js'
import { outputNumbers } from '../alignment/targets.js'
import type { AlongOptions, Checkpoint } from '../alignment/types.js'
import { TangentError } from '../core/errors.js'
import { classNumbers, integerClasses } from '../io/classes.js'
import { type NdArray, readArray, toFloat32 } from '../io/index.js'
import type { Inputs } from '../model/inputs.js'
import type { Network } from '../network/network.js'

/**
 * Files in the order of training: a folder's by the numbers in their names, several arguments as they
 * were given.
 * @throws TangentError BAD_ARGUMENT for a folder without checkpoints.
 */
export async function checkpointPaths(paths: readonly string[]): Promise<string[]> {
  const lists = await Promise.all(
    paths.map(async (path) => {
      const found = await stat(path).catch(() => undefined)
      return found?.isDirectory() ? checkpointFiles(path) : [path]
    }),
  )
  return lists.flat()
}

/** The model's own weights first, where they are the start of the training; then the files. */
export function trajectory(
  network: Network,
  model: string,
  files: readonly string[],
  withModel: boolean,
): Checkpoint[] {
  const rest = files.map((source): Checkpoint => ({ source }))
  if (!withModel) return rest
  return [
    {
      source: network,
      name: basename(model, extname(model)),
      step: 0,
      unit: unitOf(files[0] ?? ''),
    },
    ...rest,
  ]
}

/**
 * What `--learned` means: the last checkpoint's outputs, the target, or a file. Without it the
 * target where it has a number for every output of every sample, else the last checkpoint's outputs.
 */
export async function learnedOutputs(
  given: string | undefined,
  network: Network,
  x: Inputs,
  target: NdArray | undefined,
  checkpoints: readonly Checkpoint[],
  { outputs, signal }: Pick<AlongOptions, 'outputs' | 'signal'>,
): Promise<{ learned: NdArray | undefined; name: 'last' | 'target' | string }> {
  if (given !== undefined && given !== 'last' && given !== 'target') {
    return { learned: await readArray(given), name: basename(given) }
  }
  if (given === 'target' && !target) {
    throw new TangentError('BAD_ARGUMENT', 'Expected --target with --learned target')
  }
  const { source } = checkpoints.at(-1) as Checkpoint
  const last =
    typeof source === 'string' || source instanceof Map
      ? await network.withParameters(source)
      : (source as Network)
  try {
    const { data, shape } = toFloat32(await last.run(x, { signal }))
    const [samples = 0, all = 0] = shape
    const wanted = outputs ?? Array.from({ length: all }, (_, o) => o)
    if (given === 'target' && target) {
      const numbers = outputNumbers(target, { samples, outputs: wanted })
      if (typeof numbers !== 'string') return { learned: undefined, name: 'target' }
      throw new TangentError(
        'BAD_ARGUMENT',
        `Expected --target with --learned target as ${numbers}`,
      )
    }
    if (given === undefined && target && sayAll(target, samples, wanted)) {
      return { learned: undefined, name: 'target' }
    }
    const values = new Float64Array(samples * wanted.length)
    for (let i = 0; i < samples; i += 1) {
      wanted.forEach((o, at) => {
        values[i * wanted.length + at] = data[i * all + o] as number
      })
    }
    return { learned: { data: values, shape: [samples, wanted.length] }, name: 'last' }
  } finally {
    if (last !== source) await last.dispose()
  }
}

/** Has the target a number for every output of every sample? */
function sayAll(target: NdArray, samples: number, outputs: readonly number[]): boolean {
  if (target.data.length !== samples * outputs.length) return false
  const classes = integerClasses(target)
  return !classes || typeof classNumbers(classes, { outputs }) !== 'string'
}
