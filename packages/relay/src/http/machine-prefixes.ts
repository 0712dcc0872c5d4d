/** Where what is of the operator of a machine is: under the paths of clients that know a relay's, and under ours. */
export const machinePrefixes = ['/api/machines', '/api/admin/machines'] as const
