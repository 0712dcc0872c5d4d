/** The version this daemon tells; the same as the package's, which a test compares. */
export const MACHINE_VERSION = '0.1.0'
