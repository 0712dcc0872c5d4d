/** The version this command line tells; the same as the package's, which a test compares. */
export const CLI_VERSION = '0.1.0'
