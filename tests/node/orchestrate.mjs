// Runs an agent's program as the seed's orchestrator does, and writes what it makes of its output as JSON lines: {event, data}.
// usage: node orchestrate.mjs PROGRAM SCRIPT PYTHONPATH SETTINGS-AS-JSON
// SIGTERM is passed on; the last line says how the program ended.
import { spawn } from 'node:child_process';

const [program, script, path, settings] = process.argv.slice(2);
const child = spawn(program, [script], { cwd: '/', env: { ...process.env, PYTHONPATH: path, ...JSON.parse(settings) } });
const write = (event, data) => console.log(JSON.stringify({ event, data }));

child.stdout.on('data', (chunk) => {
  // One piece, one line: what else is in it is lost.
  const found = chunk.toString().match(/\{.*\}/);
  if (!found) return;
  let data;
  try {
    data = JSON.parse(found[0]);
  } catch {
    write('lost', chunk.toString());
    return;
  }
  if (data.type === 'decision') {
    write('decision', {
      document: { action: data.action, market: data.market, confidence: data.confidence, reasoning: data.reasoning },
      code: {
        marketId: data.market_id,
        marketQuestion: data.market_question,
        outcome: data.outcome,
        suggestedAmount: data.suggested_amount,
      },
    });
  } else if (data.type === 'trade') {
    write('trade', {
      document: {
        market: data.market,
        action: data.action,
        amount: data.amount,
        profitLoss: data.profitLoss,
        transactionHash: data.transactionHash,
      },
      code: { tradeId: data.trade_id, marketId: data.market_id, side: data.side, price: data.price, status: data.status },
    });
  }
});
child.stderr.on('data', (chunk) => write('error', chunk.toString()));
child.on('exit', (code, signal) => write('stopped', { code, signal }));
process.on('SIGTERM', () => child.kill('SIGTERM'));
