// Entry of the worker thread that owns one architecture's onnxruntime sessions.
import { serve } from './runtime/worker.js'
import { trainingService } from './train/service.js'

serve({ train: trainingService })
