// lib/protobuf/onnx.proto to TypeScript, with protobuf's own tools: buf reads the file, protoc-gen-es
// writes what the runtime `@bufbuild/protobuf` works with. Published packages hold the result.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { root, step } from './run.mjs'

export const SCHEMA = 'lib/protobuf/onnx.proto'

const packageFile = createRequire(import.meta.url).resolve

export async function generateMessages() {
  const template = {
    version: 'v2',
    plugins: [
      {
        local: [process.execPath, packageFile('@bufbuild/protoc-gen-es/bin/protoc-gen-es')],
        out: 'lib/protobuf/generated',
        opt: ['target=ts', 'import_extension=js'],
      },
    ],
  }
  await step('Generating the messages of ONNX files', process.execPath, [
    packageFile('@bufbuild/buf/bin/buf'),
    ...['generate', join(root, 'lib/protobuf'), '--template', JSON.stringify(template)],
  ])
}
