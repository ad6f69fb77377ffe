/** What kind of picture bytes are, and how large, by their beginning: PNG, GIF, JPEG and WebP. */

export interface Picture {
  /** Its media type. */
  readonly type: string
  /** In pixels, when the bytes tell. */
  readonly width: number | undefined
  readonly height: number | undefined
}

/** Undefined when it is none of these. Never throws, whatever the bytes are. */
export function pictureOf(bytes: Buffer): Picture | undefined {
  return png(bytes) ?? gif(bytes) ?? jpeg(bytes) ?? webp(bytes)
}

function picture(type: string, width?: number, height?: number): Picture {
  const known = width !== undefined && height !== undefined && width > 0 && height > 0
  return { type, width: known ? width : undefined, height: known ? height : undefined }
}

function ascii(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('latin1', start, end)
}

/** RFC 2083 §3.1, §4.1.1: the header is the first chunk. */
function png(bytes: Buffer): Picture | undefined {
  if (ascii(bytes, 0, 8) !== '\x89PNG\r\n\x1a\n') return undefined
  if (bytes.length < 24 || ascii(bytes, 12, 16) !== 'IHDR') return picture('image/png')
  return picture('image/png', bytes.readUInt32BE(16), bytes.readUInt32BE(20))
}

function gif(bytes: Buffer): Picture | undefined {
  const version = ascii(bytes, 0, 6)
  if (version !== 'GIF87a' && version !== 'GIF89a') return undefined
  if (bytes.length < 10) return picture('image/gif')
  return picture('image/gif', bytes.readUInt16LE(6), bytes.readUInt16LE(8))
}

/** ITU-T T.81 §B.1.1: segments up to the one that starts a frame. */
function jpeg(bytes: Buffer): Picture | undefined {
  if (ascii(bytes, 0, 3) !== '\xff\xd8\xff') return undefined
  let at = 2
  while (at + 9 <= bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1]!
    if (marker === 0xff) {
      at++
      continue
    }
    // SOF0 to SOF15; between them stand the tables DHT, JPG and DAC.
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc)
      return picture('image/jpeg', bytes.readUInt16BE(at + 7), bytes.readUInt16BE(at + 5))
    at += 2 + bytes.readUInt16BE(at + 2)
  }
  return picture('image/jpeg')
}

/** RFC 9649 §2: a RIFF container with one of three first chunks. */
function webp(bytes: Buffer): Picture | undefined {
  if (ascii(bytes, 0, 4) !== 'RIFF' || ascii(bytes, 8, 12) !== 'WEBP') return undefined
  if (bytes.length < 30) return picture('image/webp')
  switch (ascii(bytes, 12, 16)) {
    case 'VP8 ':
      return picture('image/webp', bytes.readUInt16LE(26) & 0x3fff, bytes.readUInt16LE(28) & 0x3fff)
    case 'VP8L': {
      const bits = bytes.readUInt32LE(21)
      return picture('image/webp', (bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1)
    }
    case 'VP8X':
      return picture('image/webp', bytes.readUIntLE(24, 3) + 1, bytes.readUIntLE(27, 3) + 1)
    default:
      return picture('image/webp')
  }
}
