// The table of commands: one row each. What a command needs is read when it is called.
import type { CommandEntry } from './define.js'

export const commands: readonly CommandEntry[] = [
  {
    name: 'info',
    arguments: '<model>',
    summary:
      'tell what a network is: inputs, outputs, parameters, operators, what is not supported',
    load: async () => (await import('./info.js')).infoCommand,
  },
  {
    name: 'run',
    arguments: '<model>',
    summary: "write a network's output (N, O) for some samples",
    load: async () => (await import('./run.js')).runCommand,
  },
  {
    name: 'jacobian',
    arguments: '<model>',
    summary: 'write the Jacobian of the outputs by every parameter',
    load: async () => (await import('./jacobian.js')).jacobianCommand,
  },
  {
    name: 'features',
    arguments: '<model>',
    summary: 'write tangent features in factors δ and h where these are smaller than the Jacobian',
    load: async () => (await import('./features.js')).featuresCommand,
  },
  {
    name: 'jvp',
    arguments: '<model>',
    summary:
      'the derivative of the outputs along a change of the parameters, as numbers or as ONNX',
    load: async () => (await import('./jvp.js')).jvpCommand,
  },
  {
    name: 'ntk',
    arguments: '<model>',
    summary: 'write the empirical tangent kernel (sums, not means)',
    load: async () => (await import('./ntk.js')).ntkCommand,
  },
  {
    name: 'sketch',
    arguments: '<model>',
    summary:
      'write k numbers for each sample and output in place of tangent features, with their error',
    load: async () => (await import('./sketch.js')).sketchCommand,
  },
  {
    name: 'worker',
    arguments: '<store>',
    summary: 'join the work on a store that ntk --store made, until it is complete',
    load: async () => (await import('./worker.js')).workerCommand,
  },
  {
    name: 'kernel',
    arguments: '<kernel>',
    summary:
      'show the spectrum, effective rank and alignment of a kernel on disk, without loading it',
    load: async () => (await import('./kernel.js')).kernelCommand,
  },
  {
    name: 'fit',
    arguments: '<model>',
    summary: 'fit a tangent-feature model, adaptive or fixed, to targets',
    load: async () => (await import('./fit.js')).fitCommand,
  },
  {
    name: 'adapt',
    arguments: '<model>',
    summary: 'fit a network to labels in one call: head, ridge and price are chosen',
    load: async () => (await import('./adapt.js')).adaptCommand,
  },
  {
    name: 'predict',
    arguments: '<fit> <model>',
    summary: "write a fitted model's predictions (N, O) for samples that may be larger than memory",
    load: async () => (await import('./predict.js')).predictCommand,
  },
  {
    name: 'audit',
    arguments: '<model>',
    summary:
      'find suspicious labels, near-duplicates and unknown inputs, and what predictions rest on',
    load: async () => (await import('./audit.js')).auditCommand,
  },
  {
    name: 'average',
    arguments: '<model0> <checkpoints...>',
    summary: 'write the kernel of features averaged between two sets of weights, or along several',
    load: async () => (await import('./average.js')).averageCommand,
  },
  {
    name: 'align',
    arguments: '<model> <checkpoints...>',
    summary: 'follow the tangent kernel along checkpoints: alignment, distance, rank, by layer',
    load: async () => (await import('./align.js')).alignCommand,
  },
  {
    name: 'probe',
    arguments: '<model...>',
    summary: 'show what training did to the tangent kernel: a report of one or more checkpoints',
    load: async () => (await import('./probe.js')).probeCommand,
  },
  {
    name: 'doctor',
    arguments: '',
    summary: 'tell what this installation consists of, whether it works, and why not',
    load: async () => (await import('./doctor.js')).doctorCommand,
  },
  {
    name: 'build',
    arguments: '',
    summary:
      'compile the core on this machine, showing each step: needs a C++ compiler, CMake, OpenBLAS, oneTBB',
    load: async () => (await import('./build.js')).sourceBuildCommand,
  },
]
