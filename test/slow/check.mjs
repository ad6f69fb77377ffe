/** What the client scripts say to the runner: `ok NAME` or `not ok NAME`, at last `done`. */

export async function check(name, run) {
  try {
    await seconds(90, run(), 'end')
    console.log(`ok ${name}`)
  } catch (error) {
    console.log(`not ok ${name}: ${error?.stack ?? JSON.stringify(error?.error ?? String(error))}`)
  }
}

/** The promise, or a rejection that says what was waited for. */
export function seconds(limit, promise, what) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${limit} s`)), limit * 1000)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
