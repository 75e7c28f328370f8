// Samples as small pictures: which inputs are some, and what the page's one PNG holds of them.

import test from 'ava'
import { decode } from 'fast-png'
import { Network } from '../../lib/index.js'
import { pictureLayout, thumbnailsOf } from '../../lib/probe/thumbnails.js'
import { thumbnailStyle } from '../../lib/report/thumbnails.js'
import { floats, model } from '../support/onnx.js'
import { sampleReport } from './sample.js'

test('what is a picture is told by its shape', (t) => {
  const layout = (...shape: number[]) => {
    const found = pictureLayout(shape)
    return found && [found.width, found.height, found.channels]
  }
  t.deepEqual(layout(1, 28, 20), [20, 28, 1])
  t.deepEqual(layout(3, 32, 32), [32, 32, 3])
  t.deepEqual(layout(32, 30, 3), [30, 32, 3])
  t.deepEqual(layout(80, 300), [300, 80, 1])
  t.deepEqual(layout(784), [28, 28, 1])
  for (const shape of [[16, 8, 8], [10], [49], [2, 300], [100, 2]]) t.is(pictureLayout(shape), null)
})

/** A network of one input (N, …) that ends in one number. */
async function taking(shape: number[]): Promise<Network> {
  const size = shape.reduce((product, one) => product * one, 1)
  const bytes = model({
    inputs: [{ name: 'x', shape: ['N', ...shape] }],
    outputs: [{ name: 'y', shape: ['N', 1] }],
    initializers: { 'a.weight': floats([size, 1], Array(size).fill(0.1)) },
    nodes: [
      { op: 'Flatten', inputs: ['x'], outputs: ['flat'] },
      { op: 'MatMul', inputs: ['flat', 'a.weight'], outputs: ['y'] },
    ],
  })
  return Network.load(bytes)
}

test('pixels are those of the chosen samples, channels last, from 0 to 255', async (t) => {
  await using network = await taking([3, 4, 5])
  const data = Float32Array.from({ length: 3 * 60 }, (_, e) => (e % 60 === 0 ? 200 : e % 7))
  const found = await thumbnailsOf(network, { data, shape: [3, 3, 4, 5] }, [0, 2])
  const { width, height, channels, data: text } = found.picture!
  t.deepEqual([width, height, channels], [5, 4, 3])
  const pixels = Buffer.from(text, 'base64')
  t.is(pixels.length, 2 * 60)
  t.is(pixels[0], 255)
  // Sample 2, second row, third column, channel 1.
  const at = (sample: number) => data[sample * 60 + 20 + 5 + 2]!
  t.is(pixels[60 + (5 + 2) * 3 + 1], Math.round((255 * at(2)) / 6))
  const css = thumbnailStyle({ ...sampleReport(), thumbnails: found })
  const png = decode(Buffer.from(/base64,([^)]+)/.exec(css)?.[1] as string, 'base64'))
  t.deepEqual([png.width, png.height, png.channels], [16 * 5, 4, 3])
  t.is(png.data[(80 * 1 + 5 + 2) * 3 + 1], pixels[60 + (5 + 2) * 3 + 1])
})

test('large pictures shrink to their means; rows of numbers are texts', async (t) => {
  await using large = await taking([56, 84])
  const data = Float32Array.from({ length: 2 * 56 * 84 }, (_, e) => (e % 84 < 42 ? 1 : 3))
  const { picture } = await thumbnailsOf(large, { data, shape: [2, 56, 84] }, [1])
  t.deepEqual([picture?.width, picture?.height], [28, 19])
  const row = [...Buffer.from(picture!.data, 'base64').subarray(0, 28)]
  t.deepEqual(row, [...Array(14).fill(0), ...Array(14).fill(255)])
  await using flat = await taking([6])
  const x = { data: Float32Array.from({ length: 12 }, (_, e) => e / 3), shape: [2, 6] }
  const { texts, picture: none } = await thumbnailsOf(flat, x, [1])
  t.is(none, null)
  t.deepEqual(texts, ['2, 2.33, 2.67, 3 …'])
})
