// TypeDoc plugin: the API by topic. A topic is a folder of lib/, so that a new declaration has one without
// a tag.
import { Comment, CommentTag, Converter, ReflectionKind } from 'typedoc'

/** What the folders of lib/ are about. */
const topics = new Map([
  ...['network', 'model', 'onnx', 'graph', 'runtime', 'control', 'builder'].map(of('Networks')),
  ...['derivatives'].map(of('Derivatives')),
  ...['kernels', 'alignment'].map(of('Kernels')),
  ...['linear', 'native'].map(of('Linear algebra')),
  ...['fit', 'adapt'].map(of('Fitting')),
  ...['audit'].map(of('Audit')),
  ...['store', 'sketch'].map(of('Larger than memory')),
  ...['train'].map(of('Training')),
  ...['probe', 'report'].map(of('Reports')),
  ...['export'].map(of('Export')),
  ...['io'].map(of('Arrays and files')),
  ...['core'].map(of('Errors and progress')),
])

/**
 * @param {string} topic
 * @returns {(folder: string) => [string, string]}
 */
function of(topic) {
  return (folder) => [folder, topic]
}

/** @param {import('typedoc').Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, (context) => {
    // Together with documents the entry point is a module of its own.
    const all = context.project.children ?? []
    const entry = all.find(({ kind }) => kind === ReflectionKind.Module)
    if (entry) entry.name = 'API'
    for (const child of entry?.children ?? all) {
      const [declaration] = context.getSymbolFromReflection(child)?.declarations ?? []
      const [, folder = ''] =
        /\/lib\/(\w+)\//.exec(declaration?.getSourceFile().fileName ?? '') ?? []
      const topic = topics.get(folder)
      if (topic === undefined) {
        app.logger.error(`${child.name} is of no topic: name its folder in scripts/docs/topics.mjs`)
        continue
      }
      for (const held of child.signatures ?? [child]) {
        held.comment ??= new Comment()
        held.comment.blockTags.push(new CommentTag('@category', [{ kind: 'text', text: topic }]))
      }
    }
  })
}
