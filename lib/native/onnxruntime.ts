// onnxruntime, wherever it is. Only threads that run networks import this.
import { createRequire } from 'node:module'
import type * as onnxruntime from 'onnxruntime-node'
import { findOnnxruntime } from './binary.js'

const loaded: typeof onnxruntime = createRequire(import.meta.url)(findOnnxruntime())

export const { env, InferenceSession, Tensor } = loaded
export type InferenceSession = onnxruntime.InferenceSession
export type Tensor = onnxruntime.Tensor
/** What a session gives back, by name. */
export type Results = onnxruntime.InferenceSession.OnnxValueMapType
