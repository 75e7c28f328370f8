// Memory that the system sees: what onnxruntime, JavaScript and samples take is part of a call's budget.
import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import type { Resident, ResidentJob } from './resident-job.js'

const main = fileURLToPath(new URL('./resident-job.js', import.meta.url))
const mib = 2 ** 20

/**
 * What is no part of a budget, as it does not grow with it: the heap of JavaScript, pages that were freed and
 * are not given back yet by the C library, and code that is read when it is first run.
 */
const margin = 40 * mib

for (const call of ['array', 'source', 'store'] as const) {
  test.serial(`a kernel of ${call} stays within its budget`, async (t) => {
    const path = join(tmpdir(), `resident-${process.pid}.zarr`)
    t.teardown(() => rm(path, { recursive: true, force: true }))
    const memory = 200 * mib
    const job: ResidentJob = { call, side: 256, samples: 48, memory, path }
    const { stdout } = await promisify(execFile)(process.execPath, [main, JSON.stringify(job)])
    const { before, peak } = JSON.parse(stdout) as Resident
    t.log(`${((peak - before) / mib).toFixed(0)} MiB of ${memory / mib}`)
    t.true(peak - before <= memory + margin)
  })
}
