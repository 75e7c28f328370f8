// Results on disk: the same numbers as in memory, whole after whatever happens, and of one job alone.
import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import {
  type ArraySource,
  createStore,
  type KernelMethod,
  type NdArray,
  Network,
  openKernel,
  openStore,
  readArray,
  type StoreRequest,
  TangentError,
  type Tile,
} from '../../lib/index.js'
import { FolderStorage } from '../../lib/store/folder.js'
import { isOwn, tasksOf } from '../../lib/store/tasks.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'
import { chunks, place, sameBits } from './folders.js'

const random = new Random(3)
const bytes = mlp(random, [5, 7, 3])
const x = samples(random, [23, 5])
const x2 = samples(random, [9, 5])

const opened = (t: Parameters<typeof load>[0]) => load(t, bytes, { threads: 1, memory: '100MB' })

for (const kernel of ['full', 'trace', 'diagonal'] as const) {
  test(`${kernel}: what every zarr reader finds is the kernel, of one input and of two`, async (t) => {
    const network = await opened(t)
    for (const second of [undefined, x2]) {
      const path = await place(t)
      const request: StoreRequest = { kind: 'ntk', kernel, x, x2: second }
      const store = await createStore(path, network, request, { tile: 4, group: 2 })
      t.is((await store.status()).done, 0)
      t.true(Number.isNaN((await readArray(path)).data[0]), 'what is not there is no number')
      const { tiles, computed } = await store.work()
      t.is(tiles, second ? 18 : 21)
      t.is(computed, tiles)
      const truth = await network.ntk(x, second, { kernel })
      near(t, await readArray(path), truth, 1e-5)
      const { done, missing } = await store.status()
      t.deepEqual([done, missing], [tiles, 0])
    }
  })
}

test('half a kernel takes half the disk, and is no number to who does not know', async (t) => {
  const network = await opened(t)
  const path = await place(t)
  const request = { kind: 'ntk', kernel: 'trace', x } as const
  const store = await createStore(path, network, request, { tile: 4, half: true })
  await store.work()
  const { done, tiles } = await store.status()
  t.is(done, tiles)
  t.is((await chunks(path)).size, 21)
  const truth = await network.ntk(x, { kernel: 'trace' })
  const seen = await readArray(path)
  for (const [e, value] of seen.data.entries()) {
    const [row, column] = [Math.floor(e / 23), e % 23]
    if (Math.floor(column / 4) > Math.floor(row / 4)) t.true(Number.isNaN(value))
    else near(t, Number(value), truth.data[e], { absolute: 1e-5 * (truth.data[0] as number) })
  }
  const kernel = await openKernel(path)
  near(t, await kernel.norm(), Math.hypot(...truth.data), 1e-5)
  const ones = new Float64Array(23).fill(1)
  const sums = ones.map((_, i) =>
    truth.data.subarray(23 * i, 23 * i + 23).reduce((a, b) => a + b, 0),
  )
  near(t, await kernel.product(ones), sums, 1e-5)
  await t.throwsAsync(kernel.alignment(truth), { message: /a whole kernel in .* half/ })
  t.is((await (await createStore(path, network, request)).status()).done, 21)
  await t.throwsAsync(createStore(path, network, request, { half: false }), {
    message: /half true/,
  })
  const two = createStore(await place(t), network, { ...request, x2 }, { half: true })
  await t.throwsAsync(two, { code: 'BAD_ARGUMENT', message: /options\.half/ })
})

test('kernels by layer and Jacobians are groups of arrays', async (t) => {
  const network = await opened(t)
  const path = await place(t)
  const request: StoreRequest = { kind: 'ntk', kernel: 'trace', by: 'layer', x }
  const store = await createStore(path, network, request, { tile: 8 })
  await store.work()
  for (const [name, truth] of await network.ntk(x, { kernel: 'trace', by: 'layer' })) {
    near(t, await readArray(`${path}#${name}`), truth, 1e-5, name)
  }
  const other = await place(t)
  await (await createStore(other, network, { kind: 'jacobian', x }, { tile: 6 })).work()
  for (const [name, truth] of await network.jacobian(x)) {
    near(t, await readArray(`${other}#${name}`), truth, 1e-5, name)
  }
  const features = await place(t)
  await (await createStore(features, network, { kind: 'features', x }, { tile: 6 })).work()
  for (const [name, form] of await network.features(x)) {
    if (form.kind !== 'factors') continue
    for (const part of ['delta', 'h'] as const) {
      const found = await readArray(`${features}#${name}_${part}`)
      near(t, found.data, form[part].data, 1e-5, `${name} ${part}`)
    }
  }
})

test('interrupted, damaged and cut files: the rest is computed, to the same bits', async (t) => {
  const network = await opened(t)
  const request: StoreRequest = { kind: 'ntk', kernel: 'trace', x }
  const whole = await place(t)
  const options = { tile: 3, group: 2 }
  await (await createStore(whole, network, request, options)).work()
  const path = await place(t)
  const stop = new AbortController()
  const store = await createStore(path, network, request, options)
  const onProgress = ({ fraction }: { fraction: number }) => fraction > 0.3 && stop.abort()
  await t.throwsAsync(store.work({ signal: stop.signal, onProgress }), {
    any: true,
    name: 'AbortError',
  })
  const { done, tiles } = await store.status()
  t.true(done > 0 && done < tiles, `${done} of ${tiles}`)
  t.deepEqual(await readdir(join(path, 'leases')), [])
  const again = await createStore(path, network, request, options)
  // One that was being written when the call ended comes to its end.
  const { computed } = await again.work()
  t.true(computed === tiles - done || computed === tiles - done - 1, `${computed} of ${tiles}`)
  t.true(await sameBits(path, whole))

  // A byte that turned, a file cut short, one that is gone, a mirrored one.
  const turned = await readFile(join(path, 'c/1/0'))
  turned[5] = (turned[5] as number) ^ 1
  await writeFile(join(path, 'c/1/0'), turned)
  await truncate(join(path, 'c/2/2'), 7)
  await rm(join(path, 'c/4/3'))
  await rm(join(path, 'c/0/5'))
  t.is((await again.status()).done, tiles - 4)
  t.is((await (await createStore(path, network, request, options)).work()).computed, 4)
  t.true(await sameBits(path, whole))
})

test('samples are read by rows, checked, and the network is its own', async (t) => {
  const network = await opened(t)
  const path = await place(t)
  let most = 0
  const from = (array: NdArray): ArraySource => ({
    length: 23,
    shape: array.shape,
    dtype: 'float32',
    rows: async (first, count) => {
      most = Math.max(most, count)
      const data = array.data.subarray(5 * first, 5 * (first + count)) as NdArray['data']
      return { data, shape: [count, 5] }
    },
  })
  await createStore(path, network, { kind: 'ntk', x: from(x) }, { tile: 3, group: 2 })
  t.true(most < 23, `${most} samples at once`)
  const store = await openStore(path)
  await t.throwsAsync(store.work(), { code: 'BAD_ARGUMENT', message: /network and the samples/ })
  const changed = { data: x.data.slice(), shape: x.shape }
  changed.data[22 * 5] = 0
  await store.use(network, from(changed))
  await t.throwsAsync(store.work(), {
    code: 'BAD_INPUT',
    message: /samples 21 to 22 of x are others$/,
  })
  const other = await load(t, mlp(new Random(9), [5, 7, 3]))
  await t.throwsAsync(store.use(other, x), { message: /but the network has other weights;/ })
  await store.use(network, x)
  await store.work()
  near(t, await readArray(path), await network.ntk(x), 1e-5)
})

test('a source that says what it is is not read for that', async (t) => {
  const network = await opened(t)
  const path = await place(t)
  let reads = 0
  const source = (identity: string): ArraySource => ({
    ...{ length: 5000, shape: [5000, 5], dtype: 'float32', identity },
    rows: async (first, count) => {
      reads += count
      const data = Float32Array.from({ length: 5 * count }, (_, e) => Math.sin(5 * first + e))
      return { data, shape: [count, 5] }
    },
  })
  const request = { kind: 'ntk', kernel: 'trace' } as const
  await createStore(path, network, { ...request, x: source('sines') }, { tile: 100 })
  t.true(reads < 1000, `${reads} samples read`)
  await t.throwsAsync(createStore(path, network, { ...request, x: source('cosines') }), {
    message: /there are other samples in x/,
  })
})

test('another job, another version and another machine are refused, each in a sentence', async (t) => {
  const network = await opened(t)
  const path = await place(t)
  const request = { kind: 'ntk', kernel: 'trace', x } as const
  const options = { tile: 5 }
  const store = await createStore(path, network, request, options)
  const refused = async (given: StoreRequest, more: object, message: RegExp) => {
    const error = await t.throwsAsync(createStore(path, network, given, more))
    t.true(error instanceof TangentError && error.code === 'BAD_ARGUMENT')
    t.regex(error?.message ?? '', message)
  }
  await refused(
    { ...request, kernel: 'full' },
    options,
    /"kernel" is "full" here and "trace" there/,
  )
  await refused(
    { ...request, outputs: [1] },
    options,
    /"outputs" is \[1\] here and not given there/,
  )
  await refused({ ...request, x: x2 }, options, /9 samples here and 23 there in x/)
  await refused({ ...request, x2 }, options, /it has no second samples/)
  await refused({ ...request, threads: 2 }, options, /threads 1, .* received 2; .* last bits/)
  await refused({ ...request, memory: '1GB' }, options, /memory 95.4 MiB/)
  await refused(request, { tile: 6 }, /tile 5/)
  await refused({ kind: 'jacobian', x }, options, /"kind" is "jacobian" here/)
  const error = await t.throwsAsync(
    createStore(path, network, { ...request, kernle: 'full' } as StoreRequest),
  )
  t.regex(error?.message ?? '', /Expected options of ntk/)

  const edit = async (change: (manifest: Record<string, Record<string, unknown>>) => void) => {
    const own = await place(t)
    const manifest = JSON.parse(JSON.stringify(store.manifest))
    change(manifest)
    await new FolderStorage(own).put('manifest.json', Buffer.from(JSON.stringify(manifest)))
    const edited = await openStore(own)
    await edited.use(network, x)
    const { message = '' } = (await t.throwsAsync(edited.work(), { code: 'BAD_ARGUMENT' })) ?? {}
    return message
  }
  const version = await edit((manifest) => {
    ;(manifest.package as { version: string }).version = '9.9.9'
  })
  t.regex(version, /^Expected adaptive-tangent 9\.9\.9, which made the store .* but this is /)
  const other = await place(t)
  const of = JSON.stringify({ ...store.manifest, package: { version: '9.9.9' } })
  await new FolderStorage(other).put('manifest.json', Buffer.from(of))
  await t.throwsAsync(createStore(other, network, request), { message: /adaptive-tangent 9\.9\.9/ })
  const blas = await edit((manifest) => {
    ;(manifest.processor as { blas: string }).blas = 'OpenBLAS 1.0 Prescott'
  })
  t.regex(blas, /not OpenBLAS 1\.0 Prescott \(OPENBLAS_CORETYPE=Prescott /)

  const strange = await place(t)
  await new FolderStorage(strange).put('notes.txt', Buffer.from('mine'))
  await t.throwsAsync(createStore(strange, network, request), { message: /something else \(notes/ })
  // A folder of others, whose files lie deeper or are hidden.
  for (const inside of ['data/x.bin', '.zgroup']) {
    const others = await place(t)
    await mkdir(join(others, 'data'), { recursive: true })
    if (!inside.startsWith('data')) await rm(join(others, 'data'), { recursive: true })
    await writeFile(join(others, inside), 'mine')
    await t.throwsAsync(createStore(others, network, request), { message: /something else \(/ })
  }
  const file = await place(t)
  await writeFile(file, 'mine')
  await t.throwsAsync(createStore(file, network, request), { message: /K\.zarr is a file$/ })

  const damaged: [RegExp, string][] = [
    [/"size": 5/, '"size": "5"'],
    [/"size": 5/, '"size": 6'],
    [/"samples": 23/, '"samples": 22'],
    [/"group": \d+/, '"group": 0'],
    [/"memory"/, '"menory"'],
    [/23,/, '24,'],
  ]
  const manifest = await readFile(join(path, 'manifest.json'), 'utf8')
  for (const [before, after] of damaged) {
    t.regex(manifest, before)
    await writeFile(join(path, 'manifest.json'), manifest.replace(before, after))
    await t.throwsAsync(
      openStore(path),
      { code: 'BAD_FILE', message: /^Expected a manifest/ },
      after,
    )
  }
  await writeFile(join(path, 'manifest.json'), '{"format": 2}')
  await t.throwsAsync(openStore(path), { code: 'BAD_FILE', message: /format 2/ })
})

test('two that make the same store at once have one', async (t) => {
  const network = await opened(t)
  const path = await place(t)
  const request = { kind: 'ntk', kernel: 'trace', x } as const
  const stores = await Promise.all(
    [1, 2, 3].map(() => createStore(path, network, request, { tile: 4 })),
  )
  const reports = await Promise.all(stores.map((store) => store.work()))
  t.is((await stores[0]?.status())?.done, 21)
  t.true(reports.reduce((sum, { computed }) => sum + computed, 0) >= 21)
  near(t, await readArray(path), await network.ntk(x, { kernel: 'trace' }), 1e-5)
  t.is((await chunks(path)).size, 36)
})

test('an estimate is of what is left', async (t) => {
  const network = await Network.load(bytes, { threads: 1, memory: '100MB' })
  const path = await place(t)
  const store = await createStore(path, network, { kind: 'ntk', kernel: 'trace', x }, { tile: 4 })
  const before = await store.estimate()
  t.deepEqual([before.tiles, before.missing], [21, 36 * (4 * 4 * 4 + 4)])
  t.true(before.seconds > 0 && (before.free ?? 0) > 0)
  await store.work()
  const after = await store.estimate()
  t.deepEqual([after.seconds, after.missing, after.done], [0, 0, 21])
  await network.dispose()
})

test('the method of each parameter is in the manifest, and is obeyed', async (t) => {
  const network = await opened(t)
  const path = await place(t)
  const request = { kind: 'ntk', kernel: 'trace', x } as const
  const store = await createStore(path, network, request, { tile: 23, group: 1 })
  const { methods } = store.manifest
  t.deepEqual(
    Object.keys(methods ?? {}),
    network.parameters.map(({ name }) => name),
  )
  for (const method of Object.values(methods ?? {})) {
    t.true(['jacobian', 'structured', 'mixed'].includes(method), method)
  }
  const tileOf = async (method: KernelMethod | Readonly<Record<string, KernelMethod>>) => {
    let found: NdArray | undefined
    const write = ({ arrays }: Tile) => {
      found = arrays.get('total')
    }
    const call = { kernel: 'trace', method, tile: 23, sink: { write } } as const
    const report = await network.ntk(x, call)
    return { data: found?.data as Float32Array, methods: report.methods }
  }
  const names = network.parameters.map(({ name }) => name)
  const all = (word: KernelMethod) => Object.fromEntries(names.map((name) => [name, word]))
  const some = { ...all('jacobian'), [names[0] as string]: 'structured' as const }
  const [jacobian, structured, mine] = [
    await tileOf('jacobian'),
    await tileOf('structured'),
    await tileOf(some),
  ]
  t.deepEqual(jacobian.methods, all('jacobian'))
  t.is(mine.methods?.[names[0] as string], 'structured')
  t.notDeepEqual(jacobian.data, structured.data, 'last bits tell the methods apart here')
  near(t, mine.data, jacobian.data, 1e-5)
  await t.throwsAsync(network.ntk(x, { method: { nobody: 'jacobian' } }), {
    code: 'BAD_ARGUMENT',
    message: /methods of parameters .* "nobody"/,
  })
  for (const [word, truth] of [
    [all('jacobian'), jacobian],
    [all('structured'), structured],
    [some, mine],
  ] as const) {
    const own = await place(t)
    const manifest = { ...store.manifest, methods: word }
    await new FolderStorage(own).put('manifest.json', Buffer.from(JSON.stringify(manifest)))
    const edited = await openStore(own)
    await edited.use(network, x)
    await edited.work()
    const [chunk] = (await chunks(own)).values()
    t.deepEqual(new Float32Array(Uint8Array.from(chunk ?? []).buffer.slice(0, -4)), truth.data)
  }
  const own = await place(t)
  const strange = { ...store.manifest, methods: all('guessed' as KernelMethod) }
  await new FolderStorage(own).put('manifest.json', Buffer.from(JSON.stringify(strange)))
  const edited = await openStore(own)
  await edited.use(network, x)
  await t.throwsAsync(edited.work(), { code: 'BAD_ARGUMENT', message: /auto, jacobian, struct/ })
})

test('work goes on from what the estimate has seen: each chunk is read once', async (t) => {
  const network = await opened(t)
  const path = await place(t)
  const request = { kind: 'ntk', kernel: 'trace', x } as const
  await (await createStore(path, network, request, { tile: 4 })).work()
  const store = await createStore(path, network, request)
  const reads: string[] = []
  const read = store.storage.read.bind(store.storage)
  store.storage.read = (key) => {
    if (/^c\//.test(key)) reads.push(key)
    return read(key)
  }
  await store.estimate()
  t.is((await store.work()).computed, 0)
  t.is(reads.length, 36)
  t.is(new Set(reads).size, 36)
})

test('tasks hold every tile once, whatever their size', (t) => {
  const array = { name: 'total', dtype: 'float32', path: '', shape: [23, 17] } as const
  const axes = { rows: 0, columns: 1 }
  for (const [symmetric, columns] of [
    [true, 23],
    [false, 17],
  ] as const) {
    const grid = {
      size: 3,
      axes,
      symmetric,
      half: false,
      arrays: [{ ...array, shape: [23, columns] }],
    }
    for (const group of [1, 2, 3, 9]) {
      for (const span of [1, 2, 4]) {
        const tasks = tasksOf(grid, { group, span })
        const all = tasks.flatMap(({ places }) =>
          places.map(({ row, column }) => `${row} ${column}`),
        )
        t.is(all.length, symmetric ? 36 : 48)
        t.is(new Set(all).size, all.length)
        for (const task of tasks) {
          t.true(task.rows.count <= group && (task.columns?.count ?? 0) <= group * span)
          // A call of samples with themselves computes what lies on the diagonal, and no other does.
          const diagonal = task.places.some(({ row, column }) => row === column)
          t.is(isOwn(task, grid), symmetric && diagonal)
        }
      }
    }
  }
})
