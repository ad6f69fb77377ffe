/** The part of ltx's Element that we build on; ltx brings no types of its own. */
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
