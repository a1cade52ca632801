// The service behind the gateway of workload D: node shop.js PORT SEED. Answers, sometimes fails, and logs as JSON a line;
// what an exception says goes to stderr as it is.
'use strict';
const http = require('http');
const crypto = require('crypto');

let state = Number(process.argv[3]) >>> 0;
function random() { // mulberry32
  state = (state + 0x6d2b79f5) >>> 0;
  let t = state;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}

let lines = [];
function log(level, request, message, fields) {
  lines.push(JSON.stringify({ level, time: Date.now(), pid: process.pid, hostname: 'shop-7c9f', reqId: request.headers['x-request-id'], msg: message, ...fields }));
  if (lines.length > 20) flush();
}
function flush() {
  if (lines.length) process.stdout.write(lines.join('\n') + '\n');
  lines = [];
}
setInterval(flush, 50);

function priceOf(product) {
  if (product % 211 === 7) throw new RangeError(`product ${product} has no price in list ${product % 5}`);
  return Math.round(100 * (3 + (product * 7919) % 480 + random())) / 100;
}

function products(request, url) {
  const page = Number(url.searchParams.get('page') || 1);
  log('debug', request, 'query', { sql: 'SELECT id, name, price FROM products ORDER BY price LIMIT $1 OFFSET $2', params: [20, page * 20], rows: 20, ms: Math.round(-3000 * Math.log(1 - random())) / 1000 });
  return { page, items: 20 };
}

function product(request, url, id) {
  const hit = random() < 0.8;
  log('debug', request, hit ? 'cache hit' : 'cache miss', { key: `product:${id}`, ttl: hit ? Math.floor(random() * 300) : undefined });
  return { id, price: priceOf(id) };
}

function cart(request, url, id) {
  const item = { sku: `SKU-${Math.floor(random() * 20000)}`, quantity: 1 + Math.floor(random() * 4) };
  log('info', request, 'item added', { cart: url.pathname.split('/')[3], item, total: Math.round(random() * 40000) / 100 });
  return item;
}

function order(request, url, id) {
  if (random() < 0.06) log('warn', request, `order ${id} not found, asked by user ${Math.floor(random() * 9000)}`, { status: 404 });
  return { id };
}

function checkout(request) {
  const payment = crypto.randomUUID();
  log('info', request, 'payment requested', { payment, provider: ['adyen', 'stripe', 'paypal'][Math.floor(random() * 3)], amount: { value: Math.round(random() * 90000) / 100, currency: 'EUR' } });
  if (random() < 0.03) log('error', request, 'payment failed', { payment, err: { type: 'ProviderError', message: `declined: code ${Math.floor(random() * 60)}`, stack: new Error('declined').stack } });
  return { payment };
}

const routes = [[/^\/api\/products$/, products], [/^\/api\/products\/(\d+)$/, product], [/^\/api\/cart\//, cart], [/^\/api\/orders\/(\d+)$/, order], [/^\/api\/checkout$/, checkout]];

http.createServer((request, response) => {
  const begun = process.hrtime.bigint();
  const url = new URL(request.url, 'http://shop');
  let status = 200, body = {};
  try {
    const [pattern, handler] = routes.find(([p]) => p.test(url.pathname));
    body = handler(request, url, Number((url.pathname.match(pattern) || [])[1]));
  } catch (error) {
    status = 500;
    flush();
    process.stderr.write(`${error.stack}\n`);
  }
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
  log('info', request, 'request completed', { req: { method: request.method, url: request.url, remotePort: request.socket.remotePort }, res: { statusCode: status }, responseTime: Number(process.hrtime.bigint() - begun) / 1e6 });
}).listen(Number(process.argv[2]), '127.0.0.1');
