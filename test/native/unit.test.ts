// The unit tests of the C++ code, which need no Node: each is a test here, in a process of its own.
// AT_NATIVE_TESTS names another build of them (npm run test:sanitize).
import { execFile, execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const program =
  process.env.AT_NATIVE_TESTS ??
  fileURLToPath(new URL('../../../build/native_tests', import.meta.url))

const list = execFileSync(program, ['--list-test-cases', '--no-intro'], { encoding: 'utf8' })
const names = list.split('\n').filter((line) => /^[a-z ]+: /.test(line))

function run(name: string): Promise<{ failed: boolean; output: string }> {
  // In a filter a comma separates, and a question mark stands for any character.
  const filter = `--test-case=${name.replace(/[,*\\]/g, '?')}`
  return new Promise((resolve) => {
    execFile(program, [filter, '--no-intro', '--no-colors'], (error, stdout, stderr) => {
      const one = /test cases:\s+1 \|\s+1 passed/.test(stdout)
      resolve({ failed: error !== null || !one, output: stdout + stderr })
    })
  })
}

for (const name of names) {
  test.serial(name, async (t) => {
    const { failed, output } = await run(name)
    t.false(failed, output)
  })
}

test.serial('there are as many as the program says', (t) => {
  const count = list.match(/unskipped test cases passing the current filters: (\d+)/)?.[1]
  t.is(names.length, Number(count))
  t.true(names.length > 0)
})
