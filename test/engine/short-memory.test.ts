// Under a limit of the address space a process computes what is right or says what is missing; it
// neither hangs nor dies.
import { execFile } from 'node:child_process'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { defaultBudget } from '../../lib/core/memory.js'
import { mlp } from '../support/networks.js'
import { Random } from '../support/random.js'

const module = new URL('../../lib/index.js', import.meta.url).href

/** Runs a script with so many MB of address space; what it writes, or how it ended. */
function limited(path: string, megabytes: number): Promise<string> {
  return new Promise((resolve) => {
    execFile(
      'bash',
      ['-c', `ulimit -v ${megabytes}000 && exec "${process.execPath}" "${path}"`],
      { timeout: 120_000, killSignal: 'SIGKILL' },
      (error, stdout) =>
        resolve(error ? `ended with ${error.signal ?? error.code}` : stdout.trim()),
    )
  })
}

test.serial('a kernel and its solution, with less and less address space', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'short-'))
  await writeFile(join(folder, 'model.onnx'), mlp(new Random(1), [20, 300, 10]))
  const script = join(folder, 'script.mjs')
  await writeFile(
    script,
    `import { Network, solveKernel } from ${JSON.stringify(module)}
    try {
      const network = await Network.load(${JSON.stringify(join(folder, 'model.onnx'))}, { threads: 2 })
      const x = { data: Float32Array.from({ length: 1200 }, (_, e) => Math.sin(e)), shape: [60, 20] }
      const kernel = await network.ntk(x)
      const { alpha } = await solveKernel(kernel, new Float64Array(600).fill(1), { ridge: 0.1 })
      console.log('right', kernel.trace().toPrecision(4), alpha[0].toPrecision(3))
      await network.dispose()
    } catch (error) {
      console.log(error.name, error.code)
    }`,
  )
  const truth = await limited(script, 64000)
  t.regex(truth, /^right/)
  for (const megabytes of [
    1200, 1300, 1400, 1600, 1900, 2000, 2100, 2200, 2300, 2500, 3000, 4000,
  ]) {
    const told = await limited(script, megabytes)
    const clean = told === truth || /^TangentError (OUT_OF_MEMORY|MEMORY_BUDGET)$/.test(told)
    t.true(clean, `${megabytes} MB: ${told}`)
  }
})

test.serial('the default budget knows the limit of the address space', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'short-'))
  const memory = new URL('../../lib/core/memory.js', import.meta.url).href
  const script = join(folder, 'script.mjs')
  await writeFile(
    script,
    `import { defaultBudget } from ${JSON.stringify(memory)}
    console.log(defaultBudget())`,
  )
  const budget = Number(await limited(script, 4000))
  t.true(budget > 0 && budget < 2e9, String(budget))
  t.true(defaultBudget() > 0)
})
