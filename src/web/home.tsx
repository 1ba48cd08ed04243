import type { FC } from "hono/jsx";
import type { PageContext, WebDeps } from "./frame/deps.ts";
import { Form } from "./frame/fields.tsx";
import { htmlPage } from "./frame/layout.tsx";
import { formToken } from "./frame/protected-form.tsx";
import { signedIn } from "./frame/session.ts";
import { untrustedText } from "./frame/untrusted.ts";

/** `GET /`: what the gateway is, how to connect to it, and who is signed in. */
export function home(deps: WebDeps) {
  const endpoint = `${deps.config.BASE_URL}/mcp`;
  return async (c: PageContext) => {
    const person = await signedIn(c, deps);
    const token = person && (await formToken(c, deps, "sign-out"));
    return htmlPage(
      c,
      { title: "MCP Registry Gateway", wide: true },
      <>
        <p>
          This gateway gives your organization's MCP servers one address and one sign-in. Clients connect to the
          address, people sign in and give consent, scripts use API keys.
        </p>
        <section class="card stack" aria-labelledby="account">
          <h2 id="account">Your account</h2>
          {person && token !== undefined ? (
            <>
              <p>
                Signed in as <bdi>{untrustedText(person.name)}</bdi> (<bdi>{untrustedText(person.email, 254)}</bdi>)
              </p>
              <p>
                <a href="/dashboard/apps">Connected apps, API keys, sessions and account settings</a>
              </p>
              <p>
                <a href="/dashboard/registry">MCP servers of your organization</a>
              </p>
              <Form action="/sign-out" token={token}>
                <div>
                  <button type="submit">Sign out</button>
                </div>
              </Form>
            </>
          ) : (
            <>
              <p>
                <a href={deps.config.LOGIN_PAGE}>Sign in</a> or <a href="/sign-up">create an account</a>.
              </p>
              <p>
                <a href="/registry">Public MCP servers</a>
              </p>
            </>
          )}
        </section>
        <section class="card stack" aria-labelledby="connect">
          <h2 id="connect">Connect</h2>
          <p>The MCP endpoint:</p>
          <pre>{endpoint}</pre>
          {snippets(endpoint).map(({ client, how, code }) => (
            <Snippet client={client} how={how} code={code} />
          ))}
        </section>
      </>,
    );
  };
}

const Snippet: FC<{ client: string; how: string; code: string }> = ({ client, how, code }) => (
  <section class="stack close">
    <h3>{client}</h3>
    <p class="muted">{how}</p>
    <pre>{code}</pre>
  </section>
);

const json = (value: unknown) => JSON.stringify(value, null, 2);

function snippets(endpoint: string) {
  return [
    {
      client: "Claude",
      how: "For Claude Code, run this command. In the Claude apps, add the endpoint under Settings, Connectors.",
      code: `claude mcp add --transport http gateway ${endpoint}`,
    },
    {
      client: "VS Code",
      how: "In .vscode/mcp.json:",
      code: json({ servers: { gateway: { type: "http", url: endpoint } } }),
    },
    {
      client: "Cursor",
      how: "In ~/.cursor/mcp.json:",
      code: json({ mcpServers: { gateway: { url: endpoint } } }),
    },
    {
      client: "Scripts",
      how: "With an API key:",
      code: [
        `curl ${endpoint} \\`,
        `  -H "x-api-key: $MRG_API_KEY" \\`,
        `  -H "content-type: application/json" \\`,
        `  -d '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'`,
      ].join("\n"),
    },
  ];
}
