/** The version this relay tells; the same as the package's, which a test compares. */
export const RELAY_VERSION = '0.1.0'
