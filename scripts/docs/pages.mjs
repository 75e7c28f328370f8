// TypeDoc plugin of the site: the pages of docs/ under their own titles, tutorials first, and their links
// to the API where the site has it.
import { Comment, CommentTag, Converter } from 'typedoc'

/** @param {string} name */
function sectionOf(name) {
  if (name.startsWith('docs/tutorials/')) return 'Tutorials'
  return name.startsWith('docs/') ? 'Guides' : 'Project'
}

/**
 * The pages of docs/api are Markdown for GitHub; the site has its own.
 * @param {import('typedoc').CommentDisplayPart[] | undefined} parts
 * @param {string} api
 */
function linkApi(parts, api) {
  for (const part of parts ?? []) {
    if (part.kind !== 'relative-link' || !/(^|\/)api\/README\.md$/.test(part.text)) continue
    Object.assign(part, { kind: 'text', text: api, target: undefined })
  }
}

/** @param {import('typedoc').Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_context, document) => {
    const section = sectionOf(document.name)
    document.comment ??= new Comment()
    document.comment.blockTags.push(new CommentTag('@category', [{ kind: 'text', text: section }]))
    // The heading of a page is its title, once.
    const [first] = document.content
    const [, title, rest] = /^\s*# (.*)\n([\s\S]*)$/.exec(first?.text ?? '') ?? []
    if (!first || !title) throw new Error(`${document.name} begins without a heading`)
    document.name = title.replaceAll('`', '')
    first.text = rest ?? ''
    linkApi(document.content, '../modules/API.html')
  })
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    linkApi(project.readme, 'modules/API.html')
  })
}
