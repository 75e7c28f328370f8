// Entry of the thread that asks a slice of a model which branches it takes.
import { parentPort, workerData } from 'node:worker_threads'
import * as ort from '../native/onnxruntime.js'
import { stack } from '../runtime/feeds.js'
import { Inference } from '../runtime/inference.js'
import { Sessions } from '../runtime/sessions.js'
import { inputTensor } from '../runtime/tensors.js'
import type { Answer, AnswerInit } from './answer.js'

const { init, values, x, runs, threads, memory } = workerData as AnswerInit

async function answer(): Promise<Answer> {
  try {
    await new Inference(init, new Sessions(init)).check(memory)
    const session = await ort.InferenceSession.create(init.skeleton, {
      intraOpNumThreads: threads,
      logSeverityLevel: 4,
      // Optimised, shapes are what onnxruntime infers, which is wrong for some pooling.
      graphOptimizationLevel: 'disabled',
      extra: {
        session: {
          intra_op: { allow_spinning: '0' },
          ...(init.folder === undefined
            ? {}
            : { model_external_initializers_file_folder_path: init.folder }),
        },
      },
    })
    const answers: number[][][] = []
    for (const batch of runs) {
      const feed = stack(x, batch)
      const feeds: Record<string, ort.Tensor> = Object.create(null)
      for (const name of session.inputNames) {
        const tensor = inputTensor(feed, name, 0, batch.length)
        if (tensor) feeds[name] = tensor
      }
      const results = await session.run(feeds, values, { logSeverityLevel: 4 })
      answers.push(values.map((name) => Array.from(results[name]?.data as BigInt64Array, Number)))
    }
    return { answers }
  } catch (error) {
    const { message, code } = error as Error & { code?: string }
    return { problem: message.replace(/\s+/g, ' ').trim(), ...(code ? { code } : {}) }
  }
}

const reply = await answer()
parentPort?.postMessage(reply)
