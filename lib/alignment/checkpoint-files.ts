// Files of checkpoints in the order of training, by the numbers in their names.
import { readdir } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { badArgument, TangentError } from '../core/errors.js'
import { reason } from '../io/reasons.js'

const endings = ['.safetensors', '.onnx']
const natural = new Intl.Collator('en', { numeric: true })

const stem = (path: string) => basename(path, extname(path))

/** The number behind a word such as `step`. */
function numberBehind(word: RegExp, name: string): number | null {
  const found = new RegExp(`(?:${word.source})s?[^0-9a-z]?(\\d+)`, 'i').exec(name)
  return found ? safe(Number(found[1])) : null
}

const safe = (value: number) => (Number.isSafeInteger(value) ? value : null)
const ofSteps = /step|iteration|iter|update|batch/
const ofEpochs = /epoch|ep/

/** What a checkpoint's number counts: steps of the optimiser, or epochs. */
export type CheckpointUnit = 'step' | 'epoch'

/** The unit of {@link stepOf}: `weights-12.safetensors` is what `train` writes after epoch 12. */
export function unitOf(path: string): CheckpointUnit {
  const name = stem(path)
  if (numberBehind(ofSteps, name) !== null) return 'step'
  return numberBehind(ofEpochs, name) !== null || /^weights-\d+\.safetensors$/.test(basename(path))
    ? 'epoch'
    : 'step'
}

/**
 * The step that a file's name tells: the number behind `step`, `iter` or the like, else behind `epoch`,
 * else the last whole number; null without one.
 */
export const stepOf = (path: string): number | null => stepIn(stem(path))

function stepIn(name: string): number | null {
  const told = numberBehind(ofSteps, name) ?? numberBehind(ofEpochs, name)
  if (told !== null) return told
  // A loss such as 0.53 is none.
  const whole = [...name.replace(/\d+\.\d+/g, ' ').matchAll(/\d+/g)]
  const last = whole.at(-1) ?? [...name.matchAll(/\d+/g)].at(-1)
  return last ? safe(Number(last[0])) : null
}

/** What orders names of one make: epochs and steps where all have them, else their numbers in turn. */
function keysOf(names: readonly string[]): (number[] | null)[] {
  const told = names.map((name) => {
    const numbers = [numberBehind(ofEpochs, name), numberBehind(ofSteps, name)]
    return numbers.filter((value) => value !== null)
  })
  const [first] = told
  if (first && first.length > 0 && told.every(({ length }) => length === first.length)) return told
  const numbers = /\d+(?:\.\d+)?/g
  const makes = new Set(names.map((name) => name.replace(numbers, '#')))
  if (makes.size === 1) return names.map((name) => (name.match(numbers) ?? []).map(Number))
  return names.map((name) => {
    const step = stepIn(name)
    return step === null ? null : [step]
  })
}

/**
 * Names of checkpoints in the order of training, by the numbers in them: epochs and steps where they are
 * named so, else all numbers in turn; names without a number come first.
 *
 * ```ts
 * sortCheckpoints(['step-100.onnx', 'step-20.onnx']) // step-20.onnx, step-100.onnx
 * ```
 * @since 0.2.0
 * @example
 * ```js
 * import { sortCheckpoints } from 'adaptive-tangent'
 *
 * console.log(sortCheckpoints(['step-10.onnx', 'step-9.onnx', 'step-100.onnx']).join(' '))
 * // step-9.onnx step-10.onnx step-100.onnx
 * ```
 */
export function sortCheckpoints(paths: readonly string[]): string[] {
  if (!Array.isArray(paths) || paths.some((path) => typeof path !== 'string')) {
    throw badArgument('paths', 'a list of names', paths)
  }
  const keys = keysOf(paths.map(stem))
  const compare = (a: number[] | null, b: number[] | null) => {
    if (!a || !b) return Number(a !== null) - Number(b !== null)
    const at = a.findIndex((value, k) => value !== b[k])
    return at < 0 ? 0 : (a[at] as number) - (b[at] ?? -1)
  }
  return paths
    .map((path, k) => ({ path, key: keys[k] ?? null }))
    .sort((a, b) => compare(a.key, b.key) || natural.compare(a.path, b.path))
    .map(({ path }) => path)
}

/**
 * The checkpoints of a folder (`.onnx`, `.safetensors`) in the order of training; those without a number
 * in their name are left out where others have one, as a training's state is.
 *
 * ```ts
 * const files = await checkpointFiles('training')
 * for await (const { name } of alignmentAlong(network, x, files)) console.log(name)
 * ```
 * @throws TangentError BAD_ARGUMENT for a folder without checkpoints
 * @since 0.2.0
 * @example
 * ```js
 * import { checkpointFiles } from 'adaptive-tangent'
 *
 * console.log((await checkpointFiles('training')).join(' '))
 * // training/step-1.onnx training/step-2.onnx
 * ```
 */
export async function checkpointFiles(folder: string): Promise<string[]> {
  if (typeof folder !== 'string') throw badArgument('folder', 'the path of a folder', folder)
  const names = await readdir(folder).catch((cause) => {
    throw new TangentError('BAD_FILE', `Cannot read ${folder}: ${reason(cause)}.`, { cause })
  })
  const own = names.filter((name) => endings.includes(extname(name).toLowerCase()))
  const numbered = own.filter((name) => stepOf(name) !== null)
  const sorted = sortCheckpoints(numbered.length > 0 ? numbered : own)
  if (sorted.length > 0) return sorted.map((name) => join(folder, name))
  throw new TangentError(
    'BAD_ARGUMENT',
    `Expected checkpoints (${endings.map((ending) => `*${ending}`).join(', ')}) in ${folder} but found none`,
  )
}
