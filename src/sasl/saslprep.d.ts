/** The package comes without types. */
declare module 'saslprep' {
  /** SASLprep (RFC 4013) of `input`; throws for what it forbids. */
  export default function saslprep(input: string, options?: { allowUnassigned?: boolean }): string
}
