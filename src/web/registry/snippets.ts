import type { ServerAnswer } from "../../registry/reading/answer.ts";
import { parseName } from "../../registry/name.ts";
import { askedOf, launchOf, type Asked, type Launch, type Template } from "./launch.ts";
import { visibleText } from "../frame/untrusted.ts";

/** How to install a server in one client: a text to copy, and a link if the client has its own URL scheme. */
export interface Snippet {
  client: string;
  how: string;
  code: string;
  link?: { href: string; label: string };
}

export interface Installation {
  snippets: Snippet[];
  /** The placeholders to replace before running a command. */
  asked: { placeholder: string; description: string | undefined; isSecret: boolean }[];
}

/**
 * The texts that install a server. Undefined for a server that no client could start from its entry, and for an entry
 * with invisible characters, because nobody should run a command that they cannot read.
 */
export function installation(server: ServerAnswer["server"]): Installation | undefined {
  const launch = launchOf(server);
  if (launch === undefined) return undefined;
  const name = shortName(server.name);
  const claude = claudeCode(name, launch);
  // This text contains everything that the others contain.
  if (claude.code !== visibleText(claude.code)) return undefined;
  const snippets = [vsCode(name, launch), cursor(name, launch), claude, inspector(launch)];
  const asked = askedOf(launch).map((one) => ({
    placeholder: placeholder(one),
    description: one.description,
    isSecret: one.isSecret,
  }));
  return { snippets, asked };
}

/** The name of a server in a client's settings. Claude Code accepts letters, digits, `-` and `_` only. */
const shortName = (name: string) => (parseName(name)?.server ?? name).replaceAll(/[^A-Za-z0-9_-]+/g, "-") || "server";

const placeholder = ({ id }: Asked) => `YOUR_${id.toUpperCase().replaceAll("-", "_")}`;

const written = (template: Template, gap: (asked: Asked) => string = placeholder): string =>
  template.map((part) => (typeof part === "string" ? part : gap(part))).join("");

type Pairs = readonly (readonly [name: string, value: Template])[];

const record = (pairs: Pairs, gap?: (asked: Asked) => string) =>
  Object.fromEntries(pairs.map(([name, value]) => [name, written(value, gap)]));

const some = (key: "env" | "headers", values: Record<string, string>) =>
  Object.keys(values).length === 0 ? {} : { [key]: values };

/** The settings of a server in the format of clients' configuration files. */
function settings(launch: Launch, gap?: (asked: Asked) => string) {
  if (launch.kind === "stdio") {
    const { command, args, env } = launch;
    return { command, args: args.map((arg) => written(arg, gap)), ...some("env", record(env, gap)) };
  }
  return { url: written(launch.url, gap), ...some("headers", record(launch.headers, gap)) };
}

/**
 * https://code.visualstudio.com/api/extension-guides/ai/mcp ("MCP URL handler"): one JSON object, percent-encoded;
 * values are asked for by VS Code.
 */
function vsCode(name: string, launch: Launch): Snippet {
  const inputs = askedOf(launch).map(({ id, name: title, description, isSecret }) => ({
    type: "promptString",
    id,
    description: description ?? title,
    password: isSecret,
  }));
  const server = {
    name,
    ...(launch.kind === "stdio" ? {} : { type: launch.kind }),
    ...settings(launch, ({ id }) => `\${input:${id}}`),
    ...(inputs.length > 0 && { inputs }),
  };
  const json = JSON.stringify(server);
  return {
    client: "VS Code",
    how: "In a terminal:",
    code: commandLine(["code", "--add-mcp", json]),
    link: { href: `vscode:mcp/install?${encoded(json)}`, label: "Install in VS Code" },
  };
}

/** https://cursor.com/docs/mcp/install-links: the settings of the server as base64 of JSON. */
function cursor(name: string, launch: Launch): Snippet {
  const server = settings(launch);
  const config = base64(JSON.stringify(server));
  return {
    client: "Cursor",
    how: "In ~/.cursor/mcp.json:",
    code: JSON.stringify({ mcpServers: { [name]: server } }, null, 2),
    link: {
      href: `cursor://anysphere.cursor-deeplink/mcp/install?name=${encoded(name)}&config=${encoded(config)}`,
      label: "Install in Cursor",
    },
  };
}

function claudeCode(name: string, launch: Launch): Snippet {
  const how = "In a terminal:";
  const add = ["claude", "mcp", "add"];
  if (launch.kind === "stdio") {
    const env = launch.env.flatMap(([key, value]) => ["--env", `${key}=${written(value)}`]);
    const run = [launch.command, ...launch.args.map((arg) => written(arg))];
    return {
      client: "Claude Code",
      how,
      code: commandLine([...add, ...env, "--transport", "stdio", name, "--", ...run]),
    };
  }
  const headers = launch.headers.flatMap(([key, value]) => ["--header", `${key}: ${written(value)}`]);
  return {
    client: "Claude Code",
    how,
    code: commandLine([...add, "--transport", launch.kind, name, written(launch.url), ...headers]),
  };
}

/** For a server with an address: the Inspector's page, which can sign in. For a local program: its command line. */
function inspector(launch: Launch): Snippet {
  const start = ["npx", "@modelcontextprotocol/inspector"];
  const how = "To try it without installing it, in a terminal:";
  if (launch.kind === "stdio") {
    const env = launch.env.flatMap(([key, value]) => ["-e", `${key}=${written(value)}`]);
    const run = [launch.command, ...launch.args.map((arg) => written(arg))];
    const code = commandLine([...start, "--cli", ...env, "--method", "tools/list", "--", ...run]);
    return { client: "MCP Inspector", how, code };
  }
  const headers = launch.headers.flatMap(([key, value]) => ["--header", `${key}: ${written(value)}`]);
  const code = [...start, "--transport", launch.kind, "--server-url", written(launch.url), ...headers];
  return { client: "MCP Inspector", how, code: commandLine(code) };
}

/** A command line for a POSIX shell, with each word quoted so that it is taken literally. */
export const commandLine = (words: readonly string[]): string => words.map(quoted).join(" ");

const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`);

/** As `encodeURIComponent`, but also encodes `!'()*` (RFC 3986 §2.2). */
const encoded = (text: string) =>
  encodeURIComponent(text.toWellFormed()).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );

const base64 = (text: string) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
