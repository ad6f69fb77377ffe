/** What somebody probably meant: the known name nearest to a mistyped one. */

/** The nearest of `names`, or undefined when none is near: more than a third of the letters differ. */
export function nearest(written: string, names: Iterable<string>): string | undefined {
  let best: string | undefined
  let least = Infinity
  for (const name of names) {
    const distance = distanceOf(written.toLowerCase(), name.toLowerCase())
    if (distance < least) {
      least = distance
      best = name
    }
  }
  return best !== undefined && least <= Math.max(1, Math.floor(Math.max(best.length, written.length) / 3))
    ? best
    : undefined
}

/** Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`; long names count as far. */
function distanceOf(a: string, b: string): number {
  if (a.length > 100 || b.length > 100) return Infinity
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const line = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      let cost = Math.min(
        (above[column] ?? 0) + 1,
        (line[column - 1] ?? 0) + 1,
        (above[column - 1] ?? 0) + (same ? 0 : 1),
      )
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1])
        cost = Math.min(cost, (before[column - 2] ?? 0) + 1)
      line.push(cost)
    }
    before = above
    above = line
  }
  return above[b.length] ?? Infinity
}
