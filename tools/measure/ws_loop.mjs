// A client of a load on npm's ws and nothing else: node ws_loop.mjs URL TEXT SESSIONS AT_A_TIME MESSAGES
// Each session sends its messages, counts as many answers, and closes. Prints how many answers came in all.
import WebSocket from 'ws';

const [url, text, ...counts] = process.argv.slice(2);
const [sessions, atATime, messages] = counts.map(Number);
let begun = 0;
let answers = 0;

function begin() {
  if (begun === sessions) return;
  begun++;
  const socket = new WebSocket(url, { perMessageDeflate: false });
  let open = messages;
  socket.on('open', () => {
    for (let i = 0; i < messages; i++) socket.send(text);
  });
  socket.on('message', () => {
    answers++;
    if (--open === 0) socket.close(1000);
  });
  socket.on('close', begin);
}

for (let i = 0; i < atATime; i++) begin();
process.on('exit', () => console.log(answers));
