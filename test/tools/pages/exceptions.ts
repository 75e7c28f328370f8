// Blocks of pages that the tests do not run, each by its page and first line, and why.
export const exceptions: Record<string, Record<string, string>> = {
  'README.md': {
    'npm run demo   # what training did to a network, on real images: out/demo/report.html':
      'sets up the checkout and runs all tests, this one among them',
    'npm install adaptive-tangent':
      'needs a registry; the packed files are tried by their own test',
  },
  'CONTRIBUTING.md': {
    'git clone … && cd adaptive-tangent': 'a list of the commands of a checkout, hours of them',
  },
  'docs/adapting.md': {
    'npm run bench -- adapting                      # runs the splits that bench/adapting/results.json lacks':
      'an hour of splits; test/tools/adapting.test.ts runs a small task and holds the tables to the results',
  },
  'docs/architecture.md': {
    '// y = max(x, 0); dy/dx = 1 where y > 0, and 0 at the kink as in PyTorch.':
      'C++: test/native/example_rule.cc, which the unit tests compile and run',
  },
  'docs/comparison.md': {
    'npm run bench -- routes   # makes a Python environment in out/routes the first time (2 GB)':
      'installs gigabytes of Python packages',
  },
  'docs/install.md': {
    'npm install adaptive-tangent': 'needs a registry; npm run test:install tries the packed files',
    'npx adaptive-tangent build': 'compiles the core for minutes; npm run test:install tries it',
    'esbuild app.js --bundle --platform=node --external:adaptive-tangent':
      'test/tools/package.test.ts bundles so',
    '// webpack.config.js': 'a configuration; npm run test:install bundles with it',
  },
  'docs/paper.md': {
    'npm run paper -- fig1                         # figures 1 and 3 (fig3 is the same command)':
      'the whole experiments, up to hours; test/paper runs them small',
  },
  'docs/tutorials/few-labels.md': {
    'npm run bench -- few-labels   # what is missing in bench/few-labels.json is run; --table only prints':
      'half an hour of fits and trainings',
  },
}
