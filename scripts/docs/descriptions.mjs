// TypeDoc plugin: nothing in the API without a description. Parameters and fields that need no sentence of
// their own in the sources are described in words.json, by their name or by their owner's and theirs.
import { readFileSync } from 'node:fs'
import { Application, Comment, Converter, ReflectionKind } from 'typedoc'

/** @type {Record<string, string>} */
const words = JSON.parse(readFileSync(new URL('words.json', import.meta.url), 'utf8'))

/**
 * 'Owner.call.parameter', with names alone: signatures have those of their functions.
 * @param {import('typedoc').Reflection} reflection
 */
function nameOf(reflection) {
  const parts = reflection.getFullName().split('.')
  const own = parts.filter(
    (part, k) => part !== '__type' && part !== 'API' && part !== parts[k - 1],
  )
  return own.join('.')
}

/**
 * Whether a reader finds it on a page of its own or in a table.
 * @param {import('typedoc').Reflection} reflection
 */
function isDescribed(reflection) {
  if (reflection.isDeclaration()) {
    const { signatures, getSignature, inheritedFrom, type } = reflection
    if (signatures || getSignature || inheritedFrom) return true
    // A type that is written out where it is used, or a function in place of a field.
    if (reflection.kindOf(ReflectionKind.TypeLiteral)) return true
    if (type?.type === 'reflection' && type.declaration.signatures?.[0]?.hasComment()) return true
  }
  if (reflection.kindOf(ReflectionKind.ConstructorSignature)) return reflection.hasComment()
  // Of a function type its alias or its field tells.
  if (reflection.isSignature() && reflection.name === '__type') return true
  return reflection.hasComment()
}

const described =
  ReflectionKind.SomeMember |
  ReflectionKind.SomeSignature |
  ReflectionKind.Parameter |
  ReflectionKind.ClassOrInterface |
  ReflectionKind.TypeAlias |
  ReflectionKind.Variable

/** @param {import('typedoc').Application} app */
export function load(app) {
  /** @type {Set<string>} */
  const used = new Set()
  app.on(Application.EVENT_VALIDATE_PROJECT, (project) => {
    for (const reflection of project.getReflectionsByKind(described)) {
      if (isDescribed(reflection)) continue
      // The reference is the place to say it; the site shows what there is.
      const level = app.options.isSet('projectDocuments') ? 'warn' : 'error'
      app.logger[level](
        `${nameOf(reflection)} has no description: in its source, or in scripts/docs/words.json`,
      )
    }
    for (const name of Object.keys(words)) {
      if (!used.has(name))
        app.logger.warn(`${name} is described twice, or not there: scripts/docs/words.json`)
    }
  })
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    for (const reflection of project.getReflectionsByKind(described)) {
      if (isDescribed(reflection)) continue
      const name = [nameOf(reflection), reflection.name].find((each) => each in words)
      if (name === undefined) continue
      used.add(name)
      reflection.comment = new Comment([{ kind: 'text', text: words[name] ?? '' }])
    }
  })
}
