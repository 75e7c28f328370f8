// The state of a training as a file.

import { TangentError } from '../core/errors.js'
import { type NdArray, readSafetensors } from '../io/index.js'
import { differences, type TrainingIdentity } from './identity.js'
import { factorArrays } from './layout.js'
import type { EpochReport } from './options.js'
import type { TrainingSetup, TrainingState } from './protocol.js'

export function stateTensors(
  identity: TrainingIdentity,
  history: readonly EpochReport[],
  { names, arrays, moments, steps }: TrainingState,
): { arrays: Map<string, NdArray>; metadata: Record<string, string> } {
  const tensors = new Map<string, NdArray>()
  names.forEach((name, a) => {
    const data = arrays[a] as Float32Array
    tensors.set(`value:${name}`, { data, shape: [data.length] })
    moments.forEach((moment, m) => {
      const own = moment[a] as Float32Array
      tensors.set(`moment${m}:${name}`, { data: own, shape: [own.length] })
    })
  })
  return {
    arrays: tensors,
    metadata: {
      training: JSON.stringify(identity),
      history: JSON.stringify(history),
      steps: String(steps),
    },
  }
}

/** @throws TangentError BAD_FILE when the file is another training's. */
export async function readState(
  path: string,
  setup: TrainingSetup,
  identity: TrainingIdentity,
): Promise<{ state: TrainingState; history: EpochReport[] }> {
  const { tensors, metadata } = await readSafetensors(path)
  const different = differences(identity, readIdentity(metadata.training, path))
  if (different.length > 0) {
    throw new TangentError(
      'BAD_FILE',
      `Expected the state of a training with the same ${different.join(', ')} in ${path}`,
    )
  }
  const names = [...tensors.keys()]
    .filter((name) => name.startsWith('value:'))
    .map((name) => name.slice('value:'.length))
  const wanted = setup.model === 'adaptive' ? factorArrays(setup.parameters) : setup.parameters
  if (names.length !== wanted.length || wanted.some(({ name }) => !tensors.has(`value:${name}`))) {
    throw new TangentError('BAD_FILE', `Expected the state of this network's training in ${path}`)
  }
  const array = (key: string, count: number) => {
    const data = tensors.get(key)?.data
    if (data instanceof Float32Array && data.length === count) return data
    throw new TangentError('BAD_FILE', `Expected ${count} float32 numbers named ${key} in ${path}`)
  }
  const history = readHistory(metadata.history, path)
  const steps = Number(metadata.steps)
  if (!Number.isSafeInteger(steps) || steps < history.length) {
    throw new TangentError('BAD_FILE', `Expected the number of steps made in ${path}`)
  }
  const moments = setup.optimizer.kind === 'sgd' ? [0] : [0, 1]
  return {
    state: {
      names: wanted.map(({ name }) => name),
      arrays: wanted.map(({ name, count }) => array(`value:${name}`, count)),
      moments: moments.map((m) =>
        wanted.map(({ name, count }) => array(`moment${m}:${name}`, count)),
      ),
      steps,
      weights: [],
    },
    history,
  }
}

function readIdentity(text: string | undefined, path: string): Partial<TrainingIdentity> {
  const found = parsed(text)
  if (typeof found === 'object' && found !== null) return found
  throw new TangentError('BAD_FILE', `Expected the state of a training in ${path}`)
}

function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch {
    return undefined
  }
}

/** The epochs so far, at least one. */
function readHistory(text: string | undefined, path: string): EpochReport[] {
  const found = parsed(text)
  const reports = Array.isArray(found) ? (found as Partial<EpochReport>[]) : []
  if (reports.length > 0 && reports.every((report, e) => report?.epoch === e + 1)) {
    return reports as EpochReport[]
  }
  throw new TangentError('BAD_FILE', `Expected the history of a training in ${path}`)
}
