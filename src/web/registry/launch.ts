import type { Argument } from "../../registry/definition/argument.ts";
import type { Input, NamedInput, TemplateInput } from "../../registry/definition/input.ts";
import type { Package } from "../../registry/definition/package.ts";
import type { Remote } from "../../registry/definition/transport.ts";
import type { ServerAnswer } from "../../registry/reading/answer.ts";
import { untrustedText } from "../frame/untrusted.ts";

/**
 * A value that the person who installs a server has to enter. `id` is unique within the server; it has letters, digits,
 * `_` and `-` only.
 */
export interface Asked {
  id: string;
  name: string;
  description: string | undefined;
  isSecret: boolean;
}

/** Text with placeholders for {@link Asked} values. */
export type Template = readonly (string | Asked)[];

/** How a client reaches a server: at an address, or by starting a program. */
export type Launch =
  | { kind: "http" | "sse"; url: Template; headers: readonly (readonly [name: string, value: Template])[] }
  | {
      kind: "stdio";
      command: string;
      args: readonly Template[];
      env: readonly (readonly [name: string, value: Template])[];
    };

type Definition = ServerAnswer["server"];

/**
 * The simplest way to reach a server: by an address, else by a package. Undefined when no common client supports
 * either.
 */
export function launchOf({ remotes = [], packages = [] }: Definition): Launch | undefined {
  const remote = remotes.find(({ type }) => type === "streamable-http") ?? remotes[0];
  if (remote !== undefined) return remoteLaunch(remote);
  for (const one of packages) {
    const launch = packageLaunch(one);
    if (launch !== undefined) return launch;
  }
  return undefined;
}

function remoteLaunch({ type, url, headers = [], variables }: Remote): Launch {
  return {
    kind: type === "sse" ? "sse" : "http",
    url: fill(url, variables, "url"),
    headers: headers.filter(isGiven).map((header) => [header.name, valueOf(header, header.name)] as const),
  };
}

/**
 * The command that runs a package of each type, with its first arguments. Types without an entry have no such command.
 */
const RUNNERS: Partial<Record<Package["registryType"], (one: Package) => [command: string, ...before: string[]]>> = {
  npm: () => ["npx", "-y"],
  pypi: () => ["uvx"],
  oci: ({ environmentVariables = [] }) => [
    "docker",
    "run",
    "-i",
    "--rm",
    ...environmentVariables.filter(isGiven).flatMap(({ name }) => ["-e", name]),
  ],
  nuget: () => ["dnx"],
};

function packageLaunch(one: Package): Launch | undefined {
  if (one.transport.type !== "stdio") return undefined;
  const { registryType, runtimeArguments = [], packageArguments = [], environmentVariables = [] } = one;
  const [command, ...before] = RUNNERS[registryType]?.(one) ?? [];
  if (command === undefined) return undefined;
  const yes = registryType === "nuget" ? [["--yes"]] : [];
  const own = runtimeArguments.filter((argument) => !before.includes(argument.name ?? argument.value ?? ""));
  return {
    kind: "stdio",
    command,
    args: [
      ...before.map((text) => [text]),
      ...own.flatMap(argumentsOf),
      [identifierOf(one)],
      ...yes,
      ...packageArguments.flatMap(argumentsOf),
    ],
    env: environmentVariables.filter(isGiven).map((input) => [input.name, valueOf(input, input.name)] as const),
  };
}

function identifierOf({ registryType, identifier, version }: Package): string {
  if (version === undefined) return identifier;
  return registryType === "oci" ? `${identifier}:${version}` : `${identifier}@${version}`;
}

/** Whether an input is part of the installation: it has a fixed value or is required. */
const isGiven = ({ isRequired, value }: NamedInput | Argument) => isRequired === true || value !== undefined;

function argumentsOf(argument: Argument): Template[] {
  if (!isGiven(argument) && argument.default === undefined) return [];
  const { type, name, valueHint } = argument;
  const value = valueOf(argument, name ?? valueHint ?? "argument");
  if (type === "positional" || name === undefined) return [value];
  const isFlag = argument.format === "boolean" && argument.value === undefined;
  return isFlag || isEmpty(value) ? [[name]] : [[name], value];
}

const isEmpty = (template: Template) => template.every((part) => part === "");

/** The value of an input: its fixed value, else its default unless it is secret, else a placeholder. */
function valueOf(input: TemplateInput, name: string): Template {
  if (input.value !== undefined) return fill(input.value, input.variables, name);
  if (input.default !== undefined && input.isSecret !== true) return [input.default];
  return [asked(name, input)];
}

/** Replaces each `{name}` of a variable in a text by the variable's value, or by a placeholder if it has none. */
function fill(text: string, variables: Readonly<Record<string, Input>> | undefined, within: string): Template {
  if (variables === undefined) return [text];
  const parts = text.split(/\{([A-Za-z_][\w.-]*)\}/);
  return parts
    .map((part, index): string | Asked => {
      if (index % 2 === 0) return part;
      const variable = Object.hasOwn(variables, part) ? variables[part] : undefined;
      if (variable === undefined) return `{${part}}`;
      return (
        variable.value ?? (variable.isSecret === true ? undefined : variable.default) ?? asked(part, variable, within)
      );
    })
    .filter((part) => part !== "");
}

const asked = (name: string, { description, isSecret }: Input, within = ""): Asked => ({
  id: `${within === "" ? "" : `${within}_`}${name}`.replaceAll(/[^\w-]+/g, "_").slice(0, 64),
  name,
  description: description === undefined ? undefined : untrustedText(description, 300),
  isSecret: isSecret === true,
});

/** The values that a person has to enter before the server can run, each once. */
export function askedOf(launch: Launch): Asked[] {
  const pairs = launch.kind === "stdio" ? launch.env : launch.headers;
  const templates = [...(launch.kind === "stdio" ? launch.args : [launch.url]), ...pairs.map(([, value]) => value)];
  const gaps = templates.flat().filter((part): part is Asked => typeof part !== "string");
  return [...new Map(gaps.map((gap) => [gap.id, gap])).values()];
}
