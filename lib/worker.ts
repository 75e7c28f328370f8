// Entry of the worker thread that owns one architecture's onnxruntime sessions.
import { serve } from './runtime/worker.js'

void serve({
  train: async (...asked) => (await import('./train/service.js')).trainingService(...asked),
})
