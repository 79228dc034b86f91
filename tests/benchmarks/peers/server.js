// Makes a job of every webhook, unverified, and answers 202 when Redis has it: node server.js REDIS_PORT PORT
const http = require("node:http");
const { Queue } = require("bullmq");

const [redis, port] = process.argv.slice(2).map(Number);
const queue = new Queue("webhooks", { connection: { port: redis } });

http
  .createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", async () => {
      await queue.add("webhook", { body: Buffer.concat(chunks).toString() });
      response.writeHead(202, { "content-length": 0 }).end();
    });
  })
  .listen(port, "127.0.0.1");
