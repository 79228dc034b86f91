// Posts each job's body to a URL, 50 at a time over kept-open connections: node worker.js REDIS_PORT URL
const http = require("node:http");
const { Worker } = require("bullmq");

const [redis, url] = process.argv.slice(2);
const agent = new http.Agent({ keepAlive: true, maxSockets: 50 });

const post = (body) =>
  new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const request = http.request(url, { method: "POST", agent, headers }, (response) => {
      response.resume();
      response.on("end", () =>
        response.statusCode < 300 ? resolve(response.statusCode) : reject(new Error(`HTTP ${response.statusCode}`)),
      );
    });
    request.on("error", reject);
    request.end(body);
  });

const connection = { port: Number(redis) };
const worker = new Worker("webhooks", (job) => post(job.data.body), { connection, concurrency: 50 });
process.on("SIGTERM", () => worker.close().then(() => process.exit(0))); // what is under way ends, and is recorded
