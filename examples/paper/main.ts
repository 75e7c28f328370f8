// The paper's experiments, one command each: `npm run paper -- fig1 [--quick]`.
import { join } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { complexity } from './complexity.js'
import type { Context, CurveOptions, Scale } from './context.js'
import { type DataSetName, readDataSet } from './data.js'
import { figurePath } from './figure-path.js'
import { figureSequence } from './figure-sequence.js'
import { figure2 } from './figure2.js'
import { figure4 } from './figure4.js'
import { figures1and3 } from './figure13.js'
import { Store } from './store.js'

interface Common {
  out: string
  quick?: boolean
  scale?: Scale
  threads: number
  seeds: number[]
  stored?: boolean
}

const whole = (text: string) => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('a whole number ≥ 0')
  return value
}
const list = (text: string) => text.split(',').map(whole)

function contextOf(options: Common): Context {
  const scale = options.scale ?? (options.quick ? 'quick' : 'paper')
  const began = performance.now()
  return {
    out: options.out,
    store: new Store(join(options.out, 'results')),
    threads: options.threads,
    seeds: options.seeds,
    scale,
    stored: options.stored ?? false,
    say(text) {
      const seconds = ((performance.now() - began) / 1000).toFixed(0)
      process.stderr.write(`[${seconds} s] ${text}\n`)
    },
  }
}

const program = new Command('paper').description(
  'Figures of LeJeune & Alemohammad, An Adaptive Tangent Feature Perspective of Neural Networks',
)

function command(name: string, description: string, seeds: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--quick', 'minutes on two cores instead of the paper’s scale')
    .addOption(new Option('--scale <scale>').choices(['paper', 'quick', 'tiny']).hideHelp())
    .option('--out <folder>', 'where results, figures and pages go', 'out/paper')
    .option('--threads <n>', 'threads', whole, 2)
    .option('--seeds <list>', 'seeds', list, list(seeds))
}

for (const figure of ['fig1', 'fig3'] as const) {
  command(
    figure,
    'kernels before and over training on y and on sign(y), digits 2 and 3',
    '1,2,3',
  ).action((options: Common) => figures1and3(contextOf(options)))
}

command(
  'sequence',
  'fixed and adaptive eigenvalues in the sequence model and on samples (Li & Lin 2024)',
  '1,2,3',
).action((options: Common) => figureSequence(contextOf(options)))

command('path', 'loss, kernels and linearisations along the straight path of training', '1').action(
  (options: Common) => figurePath(contextOf(options)),
)

program
  .command('complexity')
  .description('how many samples other models need for the error of fixed features, from figure 4')
  .option('--from <folder>', 'where the data of figure 4 are', 'docs/paper')
  .action(({ from }: { from: string }) => complexity(from, console.log))

command('fig2', 'penalties', '1').action((options: Common) => figure2(contextOf(options)))

command('fig4', 'test error against samples for fixed, adaptive and full training', '1,2,3,4,5')
  .addOption(
    new Option('--protocol <protocol>', 'other samples in every epoch, or one set')
      .choices(['redrawn', 'fixed-set'])
      .default('redrawn'),
  )
  .addOption(
    new Option('--dataset <name>', 'MNIST: the MLP; others: the CNN')
      .choices(['mnist', 'fashion', 'cifar10'])
      .default('mnist'),
  )
  .option('--data <folder>', 'folder of the data set’s files')
  .option('--samples <list>', 'numbers of samples', list)
  .option('--stored', 'draw what results there are, run nothing')
  .option('--solver <n>', 'the solver’s fits too, up to n samples', whole)
  .action(
    (
      options: Common & {
        protocol: CurveOptions['protocol']
        dataset: DataSetName
        data?: string
        samples?: number[]
        solver?: number
      },
    ) => {
      const { protocol, dataset, data, samples, solver } = options
      const data0 = readDataSet(dataset, data)
      const curve = { dataset, folder: data, protocol, sizes: samples, solver }
      return figure4(data0, curve, contextOf(options))
    },
  )

try {
  await program.parseAsync()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
