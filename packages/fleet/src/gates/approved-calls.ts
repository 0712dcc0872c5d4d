/** What people have approved. */
export interface Approved {
  readonly approvalId: string
  /** By the relay's clock, milliseconds since 1970. */
  readonly expiresAt: number
}

/** With which approval the call on each machine runs: what the gate has got, and the job sends. */
export class ApprovedCalls {
  readonly #approvals = new Map<string, Approved>()

  allow(machineIds: readonly string[], approved: Approved): void {
    for (const id of machineIds) this.#approvals.set(id, approved)
  }

  /** Undefined: nobody was asked about this machine. */
  of({ id }: { readonly id: string }): string | undefined {
    return this.#approvals.get(id)?.approvalId
  }

  /** Whether what people said of this machine is good for a call that begins now. */
  holds({ id }: { readonly id: string }): boolean {
    const approved = this.#approvals.get(id)
    return approved !== undefined && approved.expiresAt > Date.now()
  }
}
