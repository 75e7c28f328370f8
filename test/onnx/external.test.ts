// Weights in other files: read from the model's folder, from nowhere else.
import { mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create, toBinary } from '@bufbuild/protobuf'
import test from 'ava'
import ort from 'onnxruntime-node'
import { TangentError } from '../../lib/core/errors.js'
import { initializerData, makeNode, makeValueInfo, openModel } from '../../lib/onnx/index.js'
import {
  GraphProtoSchema,
  ModelProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataLocation,
  TensorProtoSchema,
} from '../../lib/protobuf/index.js'

/** x (N, 3) times an external weight (3, 2). */
function externalModel(entries: Record<string, string>, dims = [3n, 2n]): Uint8Array {
  const weight = create(TensorProtoSchema, {
    name: 'w',
    dims,
    dataType: 1,
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: Object.entries(entries).map(([key, value]) =>
      create(StringStringEntryProtoSchema, { key, value }),
    ),
  })
  const graph = create(GraphProtoSchema, {
    name: 'g',
    node: [makeNode('MatMul', ['x', 'w'], ['y'])],
    initializer: [weight],
    input: [makeValueInfo('x', 1, ['N', 3])],
    output: [makeValueInfo('y', 1, ['N', 2])],
  })
  const opsetImport = [create(OperatorSetIdProtoSchema, { version: 17n })]
  return toBinary(ModelProtoSchema, create(ModelProtoSchema, { irVersion: 8n, opsetImport, graph }))
}

/** outer/secret.bin and outer/model/, the model's folder, with weights in w.bin and sub/w.bin. */
async function folders(): Promise<{ outer: string; folder: string }> {
  const outer = await mkdtemp(join(tmpdir(), 'external-'))
  const folder = join(outer, 'model')
  await mkdir(join(folder, 'sub'), { recursive: true })
  const data = new Uint8Array(Float32Array.from([0, 1, 2, 3, 4, 5, 6, 7]).buffer)
  for (const path of ['secret.bin', 'model/w.bin', 'model/sub/w.bin']) {
    await writeFile(join(outer, path), data)
  }
  await symlink('../secret.bin', join(folder, 'link.bin'))
  await symlink('..', join(folder, 'up'))
  await symlink('w.bin', join(folder, 'inside.bin'))
  return { outer, folder }
}

test('weights are read from the folder, at their offset', async (t) => {
  const { folder } = await folders()
  for (const [entries, first] of [
    [{ location: 'w.bin', offset: '8', length: '24' }, 2],
    [{ location: 'w.bin' }, 0],
    [{ location: 'sub/w.bin', offset: '4' }, 1],
    [{ location: 'inside.bin' }, 0],
    [{ location: './w.bin' }, 0],
  ] as const) {
    const path = join(folder, 'model.onnx')
    await writeFile(path, externalModel(entries))
    const model = await openModel(path)
    const { data, shape } = await initializerData(model, model.initializers.get('w')!)
    t.deepEqual(
      [...data],
      [0, 1, 2, 3, 4, 5].map((i) => i + first),
    )
    t.deepEqual(shape, [3, 2])
  }
})

test('onnxruntime reads the same numbers', async (t) => {
  const { folder } = await folders()
  const model = await openModel(externalModel({ location: 'w.bin', offset: '8' }), { folder })
  const session = await ort.InferenceSession.create(model.bytes, {
    extra: { session: { model_external_initializers_file_folder_path: folder } },
  })
  const x = new ort.Tensor('float32', Float32Array.from([1, 0, 0]), [1, 3])
  t.deepEqual([...((await session.run({ x })).y!.data as Float32Array)], [2, 3])
})

const refusals: [string, Record<string, string>, RegExp][] = [
  ['a parent folder', { location: '../secret.bin' }, /outside the model's folder/],
  ['a parent folder on the way', { location: 'sub/../../secret.bin' }, /outside/],
  ['a parent folder written for Windows', { location: '..\\secret.bin' }, /outside/],
  ['an absolute path', { location: '/etc/passwd' }, /outside/],
  ['a drive', { location: 'C:\\secret.bin' }, /outside/],
  ['a link that leaves', { location: 'link.bin' }, /outside/],
  ['a linked folder that leaves', { location: 'up/secret.bin' }, /outside/],
  ['the folder', { location: 'sub' }, /not a file/],
  ['the folder itself', { location: '.' }, /outside/],
  ['a missing file', { location: 'none.bin' }, /cannot be read/],
  ['a name with a zero byte', { location: 'w.bin\0.txt' }, /impossible/],
  ['no location', { offset: '0' }, /does not say/],
  ['an offset past the end', { location: 'w.bin', offset: '12' }, /ends at byte 36.*32 bytes/],
  ['a huge offset', { location: 'w.bin', offset: '9007199254740991' }, /ends at byte/],
  ['an offset beyond numbers', { location: 'w.bin', offset: '99999999999999999999' }, /offset/],
  ['a negative offset', { location: 'w.bin', offset: '-4' }, /offset/],
  ['an offset in words', { location: 'w.bin', offset: 'four' }, /offset/],
  ['a length that disagrees', { location: 'w.bin', length: '20' }, /needs 24 bytes.*has 20/],
]
for (const [what, entries, message] of refusals) {
  test(`refused: ${what}`, async (t) => {
    const { folder } = await folders()
    const path = join(folder, 'model.onnx')
    await writeFile(path, externalModel(entries))
    const error = await t.throwsAsync(openModel(path), { instanceOf: TangentError, message })
    t.is((error as TangentError).code, 'BAD_FILE')
  })
}

test('refused: a shape larger than the file', async (t) => {
  const { folder } = await folders()
  const bytes = externalModel({ location: 'w.bin' }, [1_000_000n, 1_000_000n])
  await t.throwsAsync(openModel(bytes, { folder }), { message: /ends at byte 4000000000000/ })
})

test('refused: from bytes, without a folder', async (t) => {
  const bytes = externalModel({ location: 'w.bin' })
  await t.throwsAsync(openModel(bytes), {
    message: /load the model by its path, or give the folder/,
  })
})
