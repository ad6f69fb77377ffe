/** What the rest of the server may know of rooms. */
import { serviceKey } from '../../host/module.js'

export interface RoomFigures {
  /** Rooms in memory that somebody is in, and others. */
  readonly used: number
  readonly idle: number
  /** People in rooms, each once for every room. */
  readonly occupants: number
}

/** Of all rooms of a host. */
export const roomFigures = serviceKey<() => RoomFigures>('room-figures')
