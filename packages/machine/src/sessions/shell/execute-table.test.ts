import { describe } from 'vitest'
import { testExecute } from './execute-suite.ts'

describe.concurrent('execute in bash', () => testExecute('bash', '/bin/bash'))
describe.concurrent('execute in sh', () => testExecute('dash', '/bin/sh'))
