// What takes long the first time only, done while a thread waits for its network.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import * as ort from '../native/onnxruntime.js'
import { makeNode } from '../onnx/encode.js'
import { makeValueInfo } from '../onnx/values.js'
import {
  TensorProto_DataType as DataType,
  ModelProtoSchema,
  OperatorSetIdProtoSchema,
} from '../protobuf/index.js'

/** A session of a network that does nothing: the next one is made in a tenth of the time. */
export async function warmOnnxruntime(): Promise<void> {
  const value = (name: string) => makeValueInfo(name, DataType.FLOAT, [1])
  const bytes = toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 8n,
      opsetImport: [create(OperatorSetIdProtoSchema, { version: 13n })],
      graph: {
        name: 'nothing',
        node: [makeNode('Identity', ['x'], ['y'])],
        input: [value('x')],
        output: [value('y')],
      },
    }),
  )
  fromBinary(ModelProtoSchema, bytes)
  const options = { intraOpNumThreads: 1, logSeverityLevel: 4 } as const
  const session = await ort.InferenceSession.create(bytes, options)
  await session.release()
}
