// What takes long the first time only, done while a thread waits for its network.
import * as ort from '../native/onnxruntime.js'
import { declared, fields, message, node } from '../onnx/wire.js'

/** A session of a network that does nothing: the next one is made in a tenth of the time. */
export async function warmOnnxruntime(): Promise<void> {
  const { graph, model, opset } = fields
  const value = (name: string) => declared(name, 1, [1])
  const nothing = message(
    [graph.node, node('Identity', 'x', 'y')],
    [graph.name, 'nothing'],
    [graph.input, value('x')],
    [graph.output, value('y')],
  )
  const bytes = message(
    [model.irVersion, 8],
    [model.graph, nothing],
    [model.opsetImport, message([opset.version, 13])],
  )
  const options = { intraOpNumThreads: 1, logSeverityLevel: 4 } as const
  const session = await ort.InferenceSession.create(bytes, options)
  await session.release()
}
