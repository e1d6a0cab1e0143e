// The service behind ocf:quorate:web. Arguments: instance (for the agent to recognise us), address, port, node, text.
import { createServer } from "node:http";

const [, address, port, node, text] = process.argv.slice(2);
const server = createServer((request, response) => {
  response.setHeader("connection", "close");
  // By this the agent knows that its own server answers, not another one on the same port.
  response.setHeader("x-quorate-pid", String(process.pid));
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405).end();
    return;
  }
  response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
  response.end(`${text} ${node}\n`);
});
server.on("error", (error) => {
  process.stderr.write(`${error.message}\n`, () => process.exit(1));
});
server.listen(Number(port), address);
// Nothing is worth waiting for: whoever stops us wants the port back.
process.on("SIGTERM", () => process.exit(0));
