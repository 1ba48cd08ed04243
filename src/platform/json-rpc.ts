/** JSON-RPC error codes that this gateway sends, or handles when an upstream sends them. */
export const JSON_RPC = {
  // JSON-RPC 2.0 §5.1
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  // MCP 2026-07-28, basic (error codes) and transports (server validation): a header contradicts the body
  headerMismatch: -32020,
  // MCP 2026-07-28, basic (error codes): the client did not declare a capability that is needed
  missingCapability: -32021,
} as const;
