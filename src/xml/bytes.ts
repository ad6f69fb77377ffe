/** The bytes that have a meaning in XML. */
export const LT = 0x3c
export const GT = 0x3e
export const AMPERSAND = 0x26
export const QUOTATION = 0x22
export const APOSTROPHE = 0x27
export const SLASH = 0x2f
export const EQUAL = 0x3d
export const COLON = 0x3a
export const SEMICOLON = 0x3b
export const HASH = 0x23
export const CLOSE_BRACKET = 0x5d
export const QUESTION = 0x3f
export const BANG = 0x21
export const CR = 0x0d
export const LF = 0x0a
export const TAB = 0x09
export const BLANK = 0x20
