import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { exampleServer } from './mcp-example.ts'

const [kind, ...also] = process.argv.slice(2)
await exampleServer(kind === 'changed', also).connect(new StdioServerTransport())
