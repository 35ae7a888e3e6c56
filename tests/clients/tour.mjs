// A tour of the server with the official TypeScript client: `tour.mjs stdio|http TARGET`, run where the client is installed.
// TARGET is the program (stdio) or the address of `/mcp` (http). The client checks structured content against the output schemas.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(`${process.cwd()}/`));
const load = (name) => import(pathToFileURL(require.resolve(`@modelcontextprotocol/sdk/${name}.js`)));
const { Client } = await load("client/index");
const { StdioClientTransport } = await load("client/stdio");
const { StreamableHTTPClientTransport } = await load("client/streamableHttp");
const { LoggingMessageNotificationSchema } = await load("types");

const [kind, target] = process.argv.slice(2);
const transport =
  kind === "stdio"
    ? new StdioClientTransport({ command: target, args: ["stdio", "--concurrency", "1", "--offline"] })
    : new StreamableHTTPClientTransport(new URL(target));
const client = new Client({ name: "tour", version: "1" });
await client.connect(transport);

const logs = [];
client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
  if (params.logger === "python") logs.push([params.level, params.data]);
});
await client.setLoggingLevel("info");

const call = async (name, args, { fails = false, ...options } = {}) => {
  const result = await client.callTool({ name, arguments: args }, undefined, options);
  assert.equal(result.isError, fails, JSON.stringify(result));
  assert.equal(result.content[0].type, "text");
  return result;
};
const run = async (code, args = {}, options = {}) => (await call("run_code", { code, ...args }, options)).structuredContent;

const { tools } = await client.listTools();
assert.equal(tools.length, 13);
assert.equal(tools[0].name, "run_code");

// Running code, and ways it ends.
const reply = await run("print('out')\n1 + 1");
assert.deepEqual([reply.status, reply.stdout, reply.return_value, reply.exit_code], ["success", "out\n", 2, 0]);
assert.equal((await run("1/0", {}, { fails: true })).error.type, "ZeroDivisionError");
assert.equal((await run("while True: pass", { timeout_ms: 200 }, { fails: true })).status, "timeout");
assert.equal((await run("1", { timeout_ms: 0 }, { fails: true })).status, "refused");
assert.equal((await run("import numpy; numpy.arange(3).tolist()", { requirements: ["numpy"] })).return_value.length, 3);
await assert.rejects(client.callTool({ name: "no_such_tool", arguments: {} }), /-32602|no_such_tool/);

// A session, its files, an artifact and a resource.
const session_id = (await call("create_session", {})).structuredContent.session_id;
await call("write_file", { session_id, path: "data/x.txt", content: "ä" });
const made = await run("open('output/y.txt', 'w').write(open('data/x.txt').read() * 2)", { session_id });
assert.equal(made.artifacts[0].relative_path, "output/y.txt");
assert.equal((await client.readResource({ uri: made.artifacts[0].uri })).contents[0].text, "ää");
assert.equal((await client.listResources()).resources[0].uri, made.artifacts[0].uri);
assert.equal((await call("read_file", { session_id, path: "data/x.txt" })).structuredContent.content, "ä");
await call("close_session", { session_id });
await call("list_dir", { session_id }, { fails: true });

// Live: lines, progress, cancelling.
logs.length = 0;
const seen = [];
await run(
  "import sys, time\nprint('one')\ntime.sleep(1.2)\nprint('two', file=sys.stderr)",
  {},
  { onprogress: ({ progress }) => seen.push(progress) },
);
assert.deepEqual(logs, [["info", "one"], ["warning", "two"]]);
assert.ok(seen.length >= 2 && seen.every((value, at) => at === 0 || value > seen[at - 1]), String(seen));
const controller = new AbortController();
const endless = run("while True: pass", {}, { signal: controller.signal });
setTimeout(() => controller.abort(), 300);
await assert.rejects(endless);
const began = Date.now();
assert.equal((await run("2")).return_value, 2);
assert.ok(Date.now() - began < 20000, "the slot of a cancelled run was not given back");

await client.close();
console.log("done");
