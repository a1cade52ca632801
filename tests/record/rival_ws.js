// What npm's ws makes of streams of frames: reads {"server": bool, "deflate": bool, "bytes": base64} a line, answers with
// {"heard": [[kind, base64 or code], ...], "error": text or null} a line. `server`: the bytes are a client's.
const readline = require('readline');
const WebSocket = require('ws');
const path = require('path');
const PerMessageDeflate = require(path.join(path.dirname(require.resolve('ws')), 'lib', 'permessage-deflate.js'));

function receive({ server, deflate, bytes }) {
  return new Promise((resolve) => {
    const extensions = {};
    if (deflate) {
      extensions['permessage-deflate'] = new PerMessageDeflate({}, server, 1 << 26);
      extensions['permessage-deflate'].accept([{}]);
    }
    const receiver = new WebSocket.Receiver({ isServer: server, extensions, maxPayload: 1 << 26 });
    const heard = [];
    const end = (error) => {
      if (deflate) extensions['permessage-deflate'].cleanup();
      resolve({ heard, error });
    };
    receiver.on('message', (data, binary) => heard.push([binary ? 'binary' : 'text', data.toString('base64')]));
    receiver.on('ping', (data) => heard.push(['ping', data.toString('base64')]));
    receiver.on('pong', (data) => heard.push(['pong', data.toString('base64')]));
    receiver.on('conclude', (code) => heard.push(['close', code]));
    receiver.on('error', (error) => end(error.message));
    receiver.on('finish', () => end(null));
    receiver.end(Buffer.from(bytes, 'base64'));
  });
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await receive(JSON.parse(line))));
  }
})();
