// Asks a model which branches it takes, in a thread of its own: onnxruntime blocks its thread.
import { Worker } from 'node:worker_threads'
import { abortError, onAbort } from '../core/abort.js'
import type { ErrorCode } from '../core/errors.js'
import { TangentError } from '../core/errors.js'
import { checkAddressSpace } from '../core/memory.js'
import { workerOptions } from '../core/threads.js'
import { prepareGraph } from '../graph/prepare.js'
import type { OnnxModel } from '../onnx/index.js'
import type { NodeProto } from '../protobuf/index.js'
import { threadFailure } from '../runtime/failures.js'
import type { Feed, WorkerInit } from '../runtime/protocol.js'
import { sliceFor } from './slice.js'

export interface AnswerInit {
  init: WorkerInit
  values: string[]
  x: Feed
  /** The rows of x in each run's batch. */
  runs: readonly number[][]
  threads: number
  memory: number
}

/** By run and question the numbers of its value, or why there are none. */
export type Answer = { answers: number[][][] } | { problem: string; code?: string }

export interface AnswerOptions {
  threads: number
  memory: number
  signal?: AbortSignal | undefined
}

/**
 * Conditions (1 or 0) and numbers of iterations, by node and run.
 * @returns the sentence of onnxruntime where it cannot run the model.
 */
export async function decisionsOf(
  model: OnnxModel,
  nodes: readonly NodeProto[],
  x: Feed,
  runs: readonly number[][],
  { threads, memory, signal }: AnswerOptions,
): Promise<Map<NodeProto, number[]> | string> {
  const slice = sliceFor(model, nodes)
  const prepared = prepareGraph(slice.model)
  const init: WorkerInit = {
    skeleton: slice.bytes,
    graph: prepared.native,
    inputs: [],
    free: false,
    double: false,
    outputs: slice.questions.map(({ value }) => value),
    ...(model.folder === undefined ? {} : { folder: model.folder }),
  }
  const fed = new Set(prepared.inputs)
  const needed = (arrays: Feed['arrays']) => arrays.filter(({ name }) => fed.has(name))
  const read = { ...x, arrays: needed(x.arrays), shared: needed(x.shared ?? []) }
  const answer = await ask({ init, values: init.outputs, x: read, runs, threads, memory }, signal)
  if ('problem' in answer) {
    if (answer.code && /MEMORY/.test(answer.code)) {
      throw new TangentError(answer.code as ErrorCode, answer.problem)
    }
    return answer.problem
  }
  return new Map(
    slice.questions.map(({ node, place }, k) => [
      node,
      answer.answers.map((values) => {
        const numbers = values[k] ?? []
        return numbers[place(numbers.length)] ?? 0
      }),
    ]),
  )
}

function ask(workerData: AnswerInit, signal: AbortSignal | undefined): Promise<Answer> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(abortError(signal))
    checkAddressSpace("A network's thread")
    const entry = new URL('./answer-worker.js', import.meta.url)
    const worker = new Worker(entry, {
      ...workerOptions,
      workerData,
      name: 'adaptive-tangent branches',
    })
    const end = onAbort(signal, () => {
      reject(abortError(signal))
      void worker.terminate()
    })
    worker.on('message', (answer: Answer) => {
      end()
      resolve(answer)
    })
    worker.on('error', (cause) => {
      reject(threadFailure("branches' thread", cause))
    })
    worker.on('exit', () => resolve({ problem: 'its thread ended' }))
  })
}
