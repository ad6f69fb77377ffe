/** Building and reading elements: ltx's Element with an attribute map that inherits nothing. */
import LtxElement from 'ltx/lib/Element.js'
import { NS } from './namespaces.js'
import { serialise } from './write.js'

/**
 * An attribute map without inherited members: `__proto__` and `constructor` are names like any other. Made by a constructor
 * whose prototype is empty, and not by `Object.create(null)`, because V8 gives such objects a shape and reads them faster.
 */
export function emptyAttributes(): Record<string, string> {
  return new Attributes()
}

const Attributes = function () {} as unknown as new () => Record<string, string>
Attributes.prototype = Object.freeze(Object.create(null))

/**
 * An element as ltx and `@xmpp/xml` know it. `name` keeps its prefix; `attrs` holds the namespace declarations too
 * and inherits nothing. Children are elements and strings.
 */
export class Element extends LtxElement {
  constructor(name: string, attrs?: string | Readonly<Record<string, string>>) {
    super(name)
    this.attrs = emptyAttributes()
    if (attrs !== undefined) this.setAttrs(attrs)
  }

  /** `element` itself when it is ours, else a copy of it and all below: trees of `xml()` come in through here. */
  static from(element: LtxElement): Element {
    if (element instanceof Element) return element
    const copy = new Element(element.name, element.attrs)
    for (const child of element.children) copy.cnode(typeof child === 'object' ? Element.from(child) : child)
    return copy
  }

  /** The text between the tags, without that of child elements. */
  get text(): string {
    return this.getText()
  }

  /** The namespace of this element, looked up through its parents; undefined when none is declared. */
  get ns(): string | undefined {
    return this.getNS()
  }

  /** The name without its prefix. */
  get local(): string {
    return this.getName()
  }

  /** The first child element of that local name and, when given, that namespace. */
  child(name: string, ns?: string): Element | undefined {
    for (const child of this.children) {
      if (typeof child === 'object' && isNamed(child, name, ns)) return Element.from(child)
    }
    return undefined
  }

  /** All child elements, or those of that local name and namespace. */
  childrenOf(name?: string, ns?: string): Element[] {
    const found: Element[] = []
    for (const child of this.children) {
      if (typeof child === 'object' && isNamed(child, name, ns)) found.push(Element.from(child))
    }
    return found
  }

  /** Unlike ltx's, sees that `xmlns=''` takes the default namespace away (Namespaces in XML 1.0 §6.2). */
  override findNS(prefix?: string): string | undefined {
    if (prefix === 'xml') return NS.xml
    const declaration = prefix ? `xmlns:${prefix}` : 'xmlns'
    return this.attrs[declaration] ?? this.parent?.findNS(prefix)
  }

  override getXmlns(): Record<string, string> {
    const prefixes = this.parent ? this.parent.getXmlns() : (Object.create(null) as Record<string, string>)
    for (const name in this.attrs) {
      if (name === 'xmlns') prefixes[this.attrs[name]!] = ''
      else if (name.startsWith('xmlns:')) prefixes[this.attrs[name]!] = name.slice(6)
    }
    return prefixes
  }

  override c(name: string, attrs?: string | Readonly<Record<string, string>>): Element {
    return this.cnode(new Element(name, attrs))
  }

  /** XML text that stands on its own: what was declared further up and is used here is written in. */
  override toString(): string {
    return serialise(this, '')
  }
}

function isNamed(element: LtxElement, name: string | undefined, ns: string | undefined): boolean {
  return (name === undefined || element.getName() === name) && (ns === undefined || element.getNS() === ns)
}

/** Builds an element. Attributes and children that are undefined are left out; numbers are written in decimal. */
export function el(
  name: string,
  ns?: string,
  attrs?: Readonly<Record<string, string | number | undefined>>,
  ...children: (Element | string | undefined)[]
): Element {
  const element = new Element(name)
  if (ns !== undefined) element.attrs['xmlns'] = ns
  for (const key in attrs) {
    const value = attrs[key]
    if (value !== undefined) element.attrs[key] = String(value)
  }
  for (const child of children) {
    if (child !== undefined && child !== '') element.cnode(child)
  }
  return element
}
