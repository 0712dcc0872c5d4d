import { ApprovalChecker } from '../approvals/approval-checker.ts'
import { UsedApprovals } from '../approvals/used-approvals.ts'
import type { PermitCheckerOptions } from '../permit-checker.ts'

/** Checks approvals of a relay in a test; commands run at `folder`, and no session restricts anything. */
export function createTestApprovals(options: PermitCheckerOptions, folder: string): ApprovalChecker {
  const used = new UsedApprovals(folder)
  return new ApprovalChecker({
    machineId: options.machineId,
    state: options,
    homeUnder: async () => folder,
    restrictionsOf: () => undefined,
    used,
    now: () => Date.now(),
  })
}
