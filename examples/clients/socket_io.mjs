// Trades of a fleet over Socket.IO.
import { io } from 'socket.io-client';

const url = process.env.POLYFLEET_URL ?? 'http://127.0.0.1:3001';
const socket = io(url, { path: '/ws', transports: ['websocket'], auth: { token: process.env.POLYFLEET_API_TOKEN } });

socket.on('connect', () => console.log('connected'));
socket.on('connect_error', (error) => console.error(error.message));
socket.on('history', (notifications) => console.log(`${notifications.length} notifications before`));
socket.on('trade', (t) => console.log(`${t.agentId} ${t.action} ${t.size} ${t.outcome} @ ${t.price} ${t.market}`));
