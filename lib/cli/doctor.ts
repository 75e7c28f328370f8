// What this installation consists of, whether it works, and why not.
import { availableParallelism, freemem, totalmem } from 'node:os'
import { defaultBudget } from '../core/memory.js'
import { ownVersion } from '../core/package.js'
import { threadCount } from '../core/threads.js'
import {
  findBinary,
  findOnnxruntime,
  onnxruntimeVersion,
  platformPackage,
} from '../native/binary.js'
import { native } from '../native/index.js'
import { type CommandDefinition, type CommonOptions, plainText } from './define.js'

/** What works, or why it does not. */
type Outcome<T> = ({ works: true } & T) | { works: false; why: string }

async function outcome<T extends object>(find: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { works: true, ...(await find()) }
  } catch (error) {
    return { works: false, why: (error as Error).message.split('\n')[0] ?? '' }
  }
}

/** GFLOP/s of a float32 matrix product of this size are told: a few milliseconds. */
const SIZE = 512

async function examine(threads: number) {
  const binary = findBinary()
  const core = await outcome(() => {
    const { blas } = native
    return {
      path: binary?.path,
      from: binary?.from === 'package' ? platformPackage() : binary && 'a build on this machine',
      operators: native.operators.length,
      // "OpenBLAS 0.3.34 SkylakeX"
      blas: {
        library: blas.split(' ').slice(0, -1).join(' '),
        kernel: blas.split(' ').at(-1) ?? '',
        /** The kernel that the environment asks for. */
        coretype: process.env.OPENBLAS_CORETYPE ?? null,
        gflops: { one: rate(1), all: rate(threads) },
      },
    }
  })
  const onnxruntime = await outcome(async () => {
    const path = findOnnxruntime()
    // Loading it is the test.
    await import('../native/onnxruntime.js')
    return { version: onnxruntimeVersion(), path }
  })
  return {
    version: ownVersion(),
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    binary: core,
    onnxruntime,
    threads,
    memory: { total: totalmem(), free: freemem(), budget: defaultBudget() },
    driver: core.works ? native.driver() || null : null,
    devices: core.works
      ? [{ name: 'cpu', works: true as const }, ...cards()]
      : ['cpu', 'cuda'].map((name) => ({ name, works: false as const, why: core.why })),
  }
}

/** The cards, or why there is none. */
const cards = () =>
  native.cards().map(({ name, what, memory, whyNot }) => ({
    name,
    ...(what === '' ? {} : { card: what, memory }),
    ...(whyNot === '' ? { works: true as const } : { works: false as const, why: whyNot }),
  }))

const rate = (threads: number) => Math.round(native.machine(SIZE, threads).gemm)

type Findings = Awaited<ReturnType<typeof examine>>

const gibibytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`

interface Blas {
  library: string
  kernel: string
  coretype: string | null
}

function blasInWords({ library, kernel, coretype }: Blas): string {
  return `${library}, kernel ${kernel}${coretype ? ` (OPENBLAS_CORETYPE is ${coretype})` : ''}`
}

function inWords({
  binary,
  onnxruntime,
  threads,
  memory,
  devices,
  driver,
  ...own
}: Findings): string[] {
  const rows = [
    ['adaptive-tangent', `${own.version}, Node ${own.node}, ${own.platform}`],
    ...(binary.works
      ? [
          ['core', `${binary.path}, from ${binary.from}; ${binary.operators} operators`],
          ['BLAS', blasInWords(binary.blas)],
          [
            'speed',
            `${binary.blas.gflops.one} GFLOP/s on one thread, ${binary.blas.gflops.all} on ${threads}`,
          ],
        ]
      : [['core', `does not work: ${binary.why}`]]),
    [
      'onnxruntime',
      onnxruntime.works
        ? `${onnxruntime.version}, ${onnxruntime.path}`
        : `does not work: ${onnxruntime.why}`,
    ],
    ['threads', String(threads)],
    [
      'memory',
      `${gibibytes(memory.total)}, ${gibibytes(memory.free)} of it free; budget ${gibibytes(memory.budget)}`,
    ],
    ...(driver === null ? [] : [['driver', driver]]),
    ...devices.map((device) => [device.name, device.works ? 'works' : `no: ${device.why}`]),
  ]
  return rows.map(([name = '', text = '']) => `${name.padEnd(18)}${plainText(text)}`)
}

export const doctorCommand: CommandDefinition = {
  examples: ['doctor', 'doctor --json'],
  devices: true,
  async run(session, _, options: CommonOptions) {
    const findings = await examine(
      threadCount(options.threads, '--threads') ?? availableParallelism(),
    )
    session.result(findings)
    session.say(...inWords(findings))
    if (!findings.binary.works || !findings.onnxruntime.works) session.fail()
  },
}
