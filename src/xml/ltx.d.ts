/** The parts of ltx and @xmpp/xml that we build on; they bring no types of their own. */
declare module 'ltx/lib/Element.js' {
  /** The class that `require('ltx')` and `@xmpp/xml` share. `text` is left out: our subclass makes it a property. */
  export default class Element {
    constructor(name: string, attrs?: string | Readonly<Record<string, string>>)
    name: string
    attrs: Record<string, string>
    children: (Element | string)[]
    parent: Element | null
    is(name: string, xmlns?: string): boolean
    getName(): string
    getNS(): string | undefined
    findNS(prefix?: string): string | undefined
    getXmlns(): Record<string, string>
    setAttrs(attrs?: string | Readonly<Record<string, string>>): void
    getAttr(name: string, xmlns?: string): string | null | undefined
    getChild(name: string, xmlns?: string): Element | undefined
    getChildren(name: string, xmlns?: string): Element[]
    getChildElements(): Element[]
    getText(): string
    getChildText(name: string, xmlns?: string): string | null
    root(): Element
    up(): Element
    c(name: string, attrs?: string | Readonly<Record<string, string>>): Element
    cnode<T extends Element | string>(child: T): T
    append(...nodes: (Element | string)[]): void
    prepend(...nodes: (Element | string)[]): void
    t(text: string): this
    remove(element: Element | string, xmlns?: string): this
    attr(name: string, value?: string): string | this
    toString(): string
  }
}

declare module '@xmpp/xml' {
  import Element from 'ltx/lib/Element.js'
  export { Element }
  /** Builds an element. Attributes that are undefined or null and children that are falsy are left out. */
  export default function xml(
    name: string,
    attrs?: string | Record<string, string | number | null | undefined>,
    ...children: unknown[]
  ): Element
}
