// Many networks, threads, aborts, the end of a network.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { Network, type Progress } from '../../lib/index.js'
import { markLate } from '../support/late.js'
import { near } from '../support/near.js'
import { load, mlp, samples } from '../support/networks.js'
import { Random } from '../support/random.js'
import { fixture, reference } from '../support/reference.js'

/** Name of what a promise rejects with (a DOMException is no native error, which ava wants). */
async function rejection(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    return (error as Error).name
  }
  return 'nothing'
}

test.serial('several networks at once', async (t) => {
  const names = ['mlp_init', 'mlp_trained', 'mlp_init']
  await Promise.all(
    names.map(async (name) => {
      const truth = await reference(name)
      const network = await load(t, truth.model)
      const kernels = await Promise.all([network.ntk(truth.input), network.ntk(truth.input)])
      for (const kernel of kernels) near(t, kernel, truth.ntk, 1e-5, name)
    }),
  )
})

test.serial('a network in a worker thread', async (t) => {
  const worker = new Worker(new URL('../support/thread.js', import.meta.url), {
    workerData: {
      model: fixture('mlp_trained', 'model.onnx'),
      input: fixture('mlp_trained', 'input_0.pb'),
    },
  })
  const ended = once(worker, 'exit')
  const [message] = (await once(worker, 'message')) as [{ data: Float32Array; shape: number[] }]
  const { ntk } = await reference('mlp_trained')
  near(t, message, ntk, 1e-5)
  t.deepEqual(await ended, [0])
})

test.serial('a disposed network says so, and its siblings live on', async (t) => {
  const { model, input, output } = await reference('mlp_init')
  const network = await Network.load(model)
  const sibling = await network.withParameters(new Map())
  const pending = network.run(input)
  await network.dispose()
  await network.dispose()
  near(t, await pending, output, 1e-5)
  for (const call of [
    () => network.run(input),
    () => network.ntk(input),
    () => network.jacobian(input),
    () => network.withParameters(new Map()),
  ]) {
    await t.throwsAsync(call, { code: 'DISPOSED', name: 'TangentError' })
  }
  near(t, await sibling.run(input), output, 1e-5)
  await sibling.dispose()
  await t.throwsAsync(sibling.run(input), { code: 'DISPOSED' })
})

test.serial('await using disposes', async (t) => {
  const { model, input } = await reference('mlp_init')
  let outside: Network
  {
    await using network = await Network.load(model)
    await network.run(input)
    outside = network
  }
  await t.throwsAsync(outside.run(input), { code: 'DISPOSED' })
})

test.serial('an abort rejects at once and the network stays usable', async (t) => {
  const random = new Random(1)
  const network = await load(t, mlp(random, [784, 256, 256, 256, 10]))
  const x = samples(random, [500, 784])
  const small = samples(random, [4, 784])
  const expected = await network.ntk(small)
  for (const delay of [0, 30, 150]) {
    for (const method of ['auto', 'jacobian'] as const) {
      const controller = new AbortController()
      const { signal } = controller
      const promise = network.ntk(x, { method, signal })
      const late = { is: false }
      setTimeout(() => {
        markLate(late)
        controller.abort()
      }, delay)
      t.is(await rejection(promise), 'AbortError')
      t.false(late.is, `aborted after ${delay} ms`)
    }
  }
  t.is(await rejection(network.ntk(small, { signal: AbortSignal.abort() })), 'AbortError')
  t.is(await rejection(network.run(small, { signal: AbortSignal.abort() })), 'AbortError')
  near(t, await network.ntk(small), expected, 0)
})

test.serial('an aborted call gives its memory back', async (t) => {
  const random = new Random(4)
  const network = await load(t, mlp(random, [784, 128, 128, 10]))
  const x = samples(random, [500, 784])
  const small = samples(random, [4, 784])
  await network.ntk(small)
  const before = process.memoryUsage().rss
  for (let attempt = 0; attempt < 6; attempt += 1) {
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 250)
    const call = network.ntk(x, { method: 'jacobian', signal: controller.signal })
    t.is(await rejection(call), 'AbortError')
    // The next call waits for the aborted one to let go.
    await network.run(small)
  }
  // One result alone takes 100 MB, the features of the work more.
  const left = (process.memoryUsage().rss - before) / 2 ** 20
  t.true(left < 150, `${left} MiB`)
})

test.serial('an abort takes only its own call', async (t) => {
  const random = new Random(2)
  const network = await load(t, mlp(random, [300, 200, 10]))
  const x = samples(random, [400, 300])
  const controller = new AbortController()
  const first = network.ntk(x, { signal: controller.signal })
  const second = network.ntk(x, { outputs: [0] })
  controller.abort()
  t.is(await rejection(first), 'AbortError')
  t.deepEqual((await second).shape, [400, 1, 400, 1])
})

test.serial('progress rises to one', async (t) => {
  const random = new Random(3)
  const network = await load(t, mlp(random, [784, 128, 128, 10]))
  const reports: Progress[] = []
  await network.ntk(samples(random, [160, 784]), {
    method: 'jacobian',
    outputs: [0, 1],
    block: 20,
    onProgress: (progress) => reports.push({ ...progress }),
  })
  t.true(reports.length > 1)
  t.is(reports.at(-1)?.fraction, 1)
  reports.forEach(({ fraction }, k) => {
    t.true(fraction >= (reports[k - 1]?.fraction ?? 0) && fraction <= 1)
  })
})

test.serial('the calling thread stays free while a kernel is computed', async (t) => {
  const random = new Random(5)
  const network = await load(t, mlp(random, [784, 128, 128, 10]))
  const x = samples(random, [300, 784])
  await network.ntk(samples(random, [2, 784]))
  const before = performance.eventLoopUtilization()
  await network.ntk(x, { method: 'jacobian', outputs: [0, 1, 2] })
  // The part of the time in which the thread did anything, or was blocked: the rest it waited.
  const { utilization } = performance.eventLoopUtilization(before)
  t.true(utilization < 0.5, String(utilization))
})

test.serial('an idle network does not keep the process alive', async (t) => {
  const worker = new Worker(new URL('../support/thread.js', import.meta.url), {
    workerData: {
      model: fixture('mlp_init', 'model.onnx'),
      input: fixture('mlp_init', 'input_0.pb'),
      leave: true,
    },
  })
  const [code] = await once(worker, 'exit')
  t.is(code, 0)
})

test.serial('a thread that is ended while native code computes takes nothing along', async (t) => {
  const lib = new URL('../../lib/index.js', import.meta.url).href
  const n = 500
  const script = `
    const { parentPort } = require('node:worker_threads')
    import(${JSON.stringify(lib)}).then(async ({ KernelSpectrum }) => {
      const kernel = Float64Array.from({ length: ${n * n} }, (_, e) => (e % ${n + 1} === 0 ? 1 + e : 0))
      const spectrum = KernelSpectrum.of(kernel, { outputs: 1 })
      setImmediate(() => parentPort.postMessage('it computes'))
      await spectrum
      parentPort.postMessage('done')
    })`
  for (let k = 0; k < 3; k += 1) {
    const worker = new Worker(script, { eval: true })
    t.deepEqual(await once(worker, 'message'), ['it computes'])
    t.is(await worker.terminate(), 1)
  }
})

test.serial('a script given on the command line, whose flags threads cannot take', async (t) => {
  const lib = new URL('../../lib/index.js', import.meta.url).href
  const script = `
    import { Network, readTensor } from ${JSON.stringify(lib)}
    const network = await Network.load(${JSON.stringify(fixture('mlp_init', 'model.onnx'))})
    const x = await readTensor(${JSON.stringify(fixture('mlp_init', 'input_0.pb'))})
    console.log((await network.ntk(x)).shape.join())
    await network.dispose()`
  const flags = ['--input-type=module', '-e', script]
  const { stdout } = await promisify(execFile)(process.execPath, flags)
  t.regex(stdout, /^\d+,10,\d+,10\n$/)
})
