import { z } from 'zod'

/** Ids of calls, made by the client: unique, and safe in a file name. */
export const CallId = z.string().regex(/^[A-Za-z0-9_-]{8,64}$/)
