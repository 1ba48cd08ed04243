import { echo } from "./echo.ts";
import { getServer } from "./get-server.ts";
import { searchServers } from "./search-servers.ts";
import type { BuiltinTool } from "./tool.ts";
import { whoami } from "./whoami.ts";

/** The tools of the gateway itself, by name. A new one is a new line here. */
export const BUILTIN_TOOLS: readonly BuiltinTool[] = [echo, getServer, searchServers, whoami];
