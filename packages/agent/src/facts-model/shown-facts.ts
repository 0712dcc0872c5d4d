import type { Facts } from '@cmdop/protocol'

/** The facts as the tool gives them: parts may be missing, and lists may be cut, which `omitted` counts by path. */
export type ShownFacts = Partial<Facts> & { readonly omitted?: Readonly<Record<string, number>> | undefined }
