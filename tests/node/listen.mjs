// Connects to a fleet with the official client and writes what it hears as JSON lines: {event, data, transport}.
// usage: node listen.mjs URL OPTIONS-AS-JSON [EVENT-TO-EMIT DATA-AS-JSON]
import { io } from 'socket.io-client';

const [url, options, emit, data] = process.argv.slice(2);
const socket = io(url, JSON.parse(options));
const write = (event, content) => {
  console.log(JSON.stringify({ event, data: content ?? null, transport: socket.io.engine?.transport?.name }));
};

socket.on('connect', () => {
  write('connect');
  if (emit) socket.emit(emit, JSON.parse(data), () => write('answered'));
});
socket.on('connect_error', (error) => write('connect_error', error.message));
socket.on('disconnect', (reason) => write('disconnect', reason));
socket.onAny(write);
