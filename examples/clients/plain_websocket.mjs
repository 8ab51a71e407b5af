// Trades of a fleet over a plain WebSocket; runs in Node 22 and in a browser. After a lost connection it resumes where it was.
const env = globalThis.process?.env ?? {};
const url = (env.POLYFLEET_URL ?? 'http://127.0.0.1:3001').replace(/^http/, 'ws');
const token = env.POLYFLEET_API_TOKEN;
let after; // the seq of the last event that was handled

function connect() {
  const socket = new WebSocket(`${url}/ws`);
  const say = (message) => socket.send(JSON.stringify(message));
  socket.onopen = () => token && say({ op: 'auth', token });
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.op === 'hello') {
      after ??= message.seq;
      console.log(`connected, from ${after} on`);
      say({ op: 'subscribe', types: ['trade'], after });
    } else if (message.op === 'event') {
      after = message.event.seq;
      const { agentId, data: t } = message.event;
      console.log(`${agentId} ${t.action} ${t.size} ${t.outcome} @ ${t.price} ${t.market}`);
    } else if (message.op === 'gap') {
      console.error(`the log no longer has ${message.from} to ${message.to}`);
    } else if (message.op === 'error') {
      console.error(message.error);
    }
  };
  socket.onerror = () => {}; // a close follows
  socket.onclose = ({ code }) => code !== 1008 && setTimeout(connect, 500);
}

connect();
