// A process that tries the models it is told of, one after another.
import { attempt } from './attempt.js'
import { mutant, seedModels } from './mutate.js'

const seeds = seedModels()

process.on('message', async (index: number) => {
  const { name, bytes } = mutant(seeds, index)
  const outcome = await attempt(bytes, index)
  process.send?.({ index, name, ...outcome })
})
// A rejection that nobody waits for is a fault, and must not pass as an error of this model.
process.on('unhandledRejection', (error) => {
  console.error(error)
  process.exit(70)
})
process.send?.('ready')
