import { describe, expect, inject, it } from "vitest";
import { command } from "../support/command.ts";

const system = inject("system");

function inspect(era: string, ...args: string[]) {
  const transport = ["--cli", system.mcp, "--transport", "http", "--protocol-era", era];
  return command("mcp-inspector", [
    ...transport,
    "--header",
    `x-api-key: ${system.apiKey}`,
    "--format",
    "json",
    ...args,
  ]);
}

describe.each(["modern", "legacy"])("the MCP Inspector's command line, speaking %s", (era) => {
  it("R8: lists tools with an API key", async () => {
    const { code, stdout, stderr } = await inspect(era, "--method", "tools/list");
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("everything__add");
  });

  it.each([
    ["echo", ["--tool-arg", "text=hello"], '"text":"hello"'],
    ["everything__add", ["--tool-arg", "a=2", "--tool-arg", "b=3"], '"sum":5'],
  ])("R8: calls %s with an API key", async (tool, args, expected) => {
    const { code, stdout } = await inspect(era, "--method", "tools/call", "--tool-name", tool, ...args);
    expect(code).toBe(0);
    expect(stdout.replace(/\s/g, "")).toContain(expected);
  });
});
