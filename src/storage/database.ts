/** PostgreSQL as the rest of the server sees it. */
export { StorageRefused, StorageUnavailable } from './errors.js'
