// npm's ws as a peer: `peer_ws.js server COMPRESSED` prints its port and echoes; `peer_ws.js client URL COMPRESSED` says its lines, prints what it heard.
const WebSocket = require('ws');
const [role, ...words] = process.argv.slice(2);
const perMessageDeflate = words[words.length - 1] === 'yes' ? { threshold: 0 } : false;

function serve() {
  const server = new WebSocket.WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate }, () => console.log(server.address().port));
  server.on('connection', (peer) => peer.on('message', (data, binary) => peer.send(data, { binary })));
}

function converse(url) {
  const lines = ['hi', '{"type":"ask","id":1}', 'ä€😀'.repeat(20), 'x'.repeat(70000), '', Buffer.from(Array.from({ length: 256 }, (_, n) => n))];
  const heard = [];
  const peer = new WebSocket(url, { perMessageDeflate });
  const say = () => (lines.length > heard.length ? peer.send(lines[heard.length]) : peer.ping('there?'));
  peer.on('open', say);
  peer.on('message', (data, binary) => {
    heard.push(binary ? data.toString('hex') : data.toString());
    say();
  });
  peer.on('pong', (data) => {
    heard.push(data.toString());
    peer.close(4001, 'as you wish');
  });
  peer.on('close', (code) => console.log(JSON.stringify({ heard, code, extensions: peer.extensions })));
}

role === 'server' ? serve() : converse(words[0]);
