import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { exampleServer } from './mcp-example.ts'

await exampleServer(process.argv[2] === 'changed').connect(new StdioServerTransport())
