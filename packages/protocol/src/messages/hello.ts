import { z } from 'zod'
import { MachineDescription } from './machine-description.ts'
import { Labels } from '../targets/labels.ts'
import { CONNECTION_WINDOW, MAX_CHANNELS, MAX_FRAME_BYTES } from '../channel/limits.ts'

/** Version of the channel protocol; a peer of another one is refused with `unsupported`. */
export const PROTOCOL_VERSION = 1

/** How a machine proves itself: it signs {@link machineProofText} with the Ed25519 key whose public half it enrolled. */
export const MachineProof = z.strictObject({
  machineId: z.string().min(1).max(64),
  /** Made anew at each start of a daemon. */
  instanceId: z.string().min(1).max(64),
  /** Ed25519 signature, base64url. */
  signature: z.string().max(128),
  hostname: z.string().max(255),
  os: z.string().max(64),
  architecture: z.string().max(32),
  agentVersion: z.string().max(32),
  /** Of the daemon's configuration; the relay's own of the same name win. */
  labels: Labels.optional(),
})
export type MachineProof = z.infer<typeof MachineProof>

/** Bounds of one side, see `limits.ts`. */
export const Limits = z.object({
  maxFrameBytes: z.number().int(),
  maxChannels: z.number().int(),
  connectionWindow: z.number().int(),
})
export type Limits = z.infer<typeof Limits>

/** The limits of version 1. */
export const LIMITS: Limits = {
  maxFrameBytes: MAX_FRAME_BYTES,
  maxChannels: MAX_CHANNELS,
  connectionWindow: CONNECTION_WINDOW,
}

/** The first frame of each side. Who accepted speaks first; who dialled answers. */
export const Hello = z.object({
  version: z.number().int().positive(),
  /** What the sender takes at most. In version 1 everybody takes the same; less is refused with `unsupported`. */
  limits: Limits.optional(),
  /** From the accepting side: its clock, milliseconds since 1970, by which permits expire. */
  time: z.number().int().optional(),
  /** From the accepting side: what a machine has to sign, base64url. */
  challenge: z.string().max(128).optional(),
  /** From the accepting side: the id of the relay. */
  relayId: z.string().max(64).optional(),
  /** From a machine. */
  machine: MachineProof.optional(),
  /** From a machine: the fleet whose calls it takes; absent: the one in which it enrolled. */
  fleetId: z.string().max(64).optional(),
  /** From a machine: what it is. Nothing is decided by it. */
  description: MachineDescription.optional(),
})
export type Hello = z.infer<typeof Hello>

/** The text that a machine signs (UTF-8): bound to relay, machine, start and challenge, so that no proof fits twice. */
export function machineProofText(proof: {
  relayId: string
  machineId: string
  instanceId: string
  challenge: string
}): string {
  return ['cmdop-machine-proof-v1', proof.relayId, proof.machineId, proof.instanceId, proof.challenge].join('\n')
}
