import test from 'ava'
import { decode } from 'fast-png'
import { rasterise } from '../../lib/probe/raster.js'
import { centred, diverging, png, sequential } from '../../lib/report/raster.js'
import { near } from '../support/near.js'

const decodeUri = (uri: string) => decode(Buffer.from(uri.split(',')[1] as string, 'base64'))

test('a raster holds the matrix in the given order', (t) => {
  const raster = rasterise([1, 2, 3, 2, 4, 5, 3, 5, 6], [2, 0, 1], 256)
  t.deepEqual(raster, { size: 3, values: [6, 3, 5, 3, 1, 2, 5, 2, 4] })
})

test('a large matrix is averaged over equal blocks', (t) => {
  const n = 600
  const order = Array.from({ length: n }, (_, i) => i)
  const matrix = Float32Array.from({ length: n * n }, (_, k) => Math.floor(k / n) + (k % n))
  const { size, values } = rasterise(matrix, order, 256)
  t.is(size, 200)
  t.is(values[0], 2)
  t.is(values[size * size - 1], 1196)
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  near(t, mean, n - 1, { absolute: 0.2 })
})

test('centred rasters have mean 0 in rows and columns and root mean square 1', (t) => {
  const size = 5
  const values = Array.from(
    { length: 25 },
    (_, k) => Math.sin(k % 5) * Math.sin(Math.floor(k / 5)) + (k % 6 === 0 ? k : 0),
  )
  const { values: moved } = centred({ size, values })
  for (let i = 0; i < size; i++) {
    let row = 0
    let column = 0
    for (let j = 0; j < size; j++) {
      row += moved[i * size + j] as number
      column += moved[j * size + i] as number
    }
    near(t, [row, column], [0, 0], { absolute: 1e-12 })
  }
  near(
    t,
    moved.reduce((sum, value) => sum + value * value, 0),
    25,
    1e-12,
  )
})

test('pictures keep their size and clip at the ends of the scale', (t) => {
  const scale = sequential(2)
  const image = decodeUri(png(2, 2, [0, 2, 5, -1], scale))
  t.is(image.width, 2)
  t.is(image.height, 2)
  t.deepEqual([...image.data], [0, 255, 255, 0])
  t.is(image.palette?.length, 256)
})

test('a diverging scale goes from blue over white to red', (t) => {
  const { colors } = diverging(1)
  const [blue, white, red] = [colors[20], colors[128], colors[235]] as [number, number, number][]
  t.true(blue![2] > blue![0] + 50)
  t.true(Math.min(...white!) > 230)
  t.true(red![0] > red![2] + 50)
})
