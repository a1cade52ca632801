// A chat with a log-in on npm's `ws`, whose ids are new each time: peer_server.js FAULT. Prints its port; ends with its stdin.
'use strict';
const http = require('http');
const crypto = require('crypto');
const WebSocket = require('ws');

const fault = process.argv[2];
const tokens = new Set(), cookies = new Set();

const server = http.createServer((request, response) => {
	let body = '';
	request.on('data', (piece) => { body += piece; });
	request.on('end', () => {
		const good = request.method === 'POST' && JSON.parse(body).password === 'correct horse 9 battery';
		const token = crypto.randomBytes(24).toString('base64url'), cookie = crypto.randomBytes(10).toString('hex');
		tokens.add(token);
		cookies.add(cookie);
		response.writeHead(good ? 200 : 401, { 'Set-Cookie': `sid=${cookie}; HttpOnly`, 'Content-Type': 'application/json' });
		response.end(JSON.stringify(good ? { access_token: token } : { error: 'no' }));
	});
});

const sockets = new WebSocket.Server({ noServer: true, perMessageDeflate: { threshold: 0 } });
server.on('upgrade', (request, socket, head) => {
	const token = request.url.split('token=')[1], cookie = (request.headers.cookie || '').split('=')[1];
	const compressed = /permessage-deflate/.test(request.headers['sec-websocket-extensions']);
	if (!tokens.has(token) || !cookies.has(cookie) || !compressed) {
		socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
		return;
	}
	sockets.handleUpgrade(request, socket, head, talk);
});

function talk(socket) {
	const hex = (bytes) => crypto.randomBytes(bytes).toString('hex');
	const room = `room_${hex(6)}`, nonce = `${hex(9)}7`, member = hex(8);
	const state = Buffer.from(JSON.stringify({ cursor: hex(6), page: 2 })).toString('base64');
	const say = (message) => socket.send(JSON.stringify(message));
	let heard = 0, run;
	say({ type: 'welcome', data: { room_id: room }, nonce });
	socket.on('message', (text) => {
		const message = JSON.parse(text);
		switch (heard++) {
		case 0:
			if (message.room !== room || message.nonce !== nonce) {
				socket.close(4003, 'not my room');
				return;
			}
			say(fault === 'no-member' ? { type: 'joined', state } : { type: 'joined', state, member: { id: member } });
			break;
		case 1:
			if (message.state !== state || JSON.parse(message.arguments).member !== member) {
				socket.close(4003, 'not my state');
				return;
			}
			run = hex(4);
			say({ type: 'agent_started', run_id: run });
			if (fault === 'extra')
				say({ type: 'agent_error', text: 'oops' });
			say({ type: 'found', hits: fault === 'text-state' ? '3' : 3 });
			if (fault !== 'silent')
				say({ type: 'agent_completed', run_id: run, answer: 'there' });
			break;
		default:
			socket.close(fault === 'close-code' ? 1011 : 4000, 'bye');
		}
	});
}

server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
