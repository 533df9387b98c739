// A pool of foundation-stratum in front of a litecoind, on loopback, until stdin closes. It prints one JSON object a line:
// {event: "ready", port}, {event: "share", …} for every share, {event: "block", …} for one that the node took, {event: "log", …}.
import { Server } from 'node:net';
import { parseArgs } from 'node:util';
import foundation from 'foundation-stratum';

const text = { type: 'string' };
const { values: wanted } = parseArgs({
  options: { port: text, difficulty: text, node: text, user: text, password: text, address: text, worker: text },
});
const port = Number(wanted.port);
const difficulty = Number(wanted.difficulty);

const say = (event, members) => console.log(JSON.stringify({ event, ...members }));

// Built without -fno-strict-aliasing the package computes another function, and on a regtest chain takes shares all the same.
const hashed = foundation.algorithms.scrypt.hash({})(Buffer.from([...Array(80).keys()])).toString('hex');
if (!hashed.startsWith('bc540a1a801df96e493005c7')) {
  console.error(`the pool's scrypt is wrong (${hashed}): remove tests/pool/node_modules, and let make build it again`);
  process.exit(1);
}

// The package would listen on all interfaces.
const listen = Server.prototype.listen;
Server.prototype.listen = function onLoopback(where, ready) {
  return listen.call(this, where, '127.0.0.1', ready);
};

process.env.forkId = '0'; // else it would keep most of its log to itself
const network = {
  messagePrefix: '\x19Litecoin Signed Message:\n',
  bech32: 'rltc',
  bip32: { public: 0x043587cf, private: 0x04358394 },
  pubKeyHash: 0x6f,
  scriptHash: 0x3a,
  wif: 0xef,
};

const pool = foundation.create(
  {
    name: 'tests',
    coins: ['Litecoin'],
    debug: false,
    primary: {
      address: wanted.address,
      coin: {
        name: 'Litecoin',
        symbol: 'LTC',
        version: 1,
        algorithms: { mining: 'scrypt', block: 'sha256d', coinbase: 'sha256d' },
        rewards: { type: '', addresses: [] },
        asicboost: true, // rolled version bits, as BIP 310 has them
        segwit: true,
        mweb: true,
        mainnet: network,
        testnet: network,
      },
      daemons: [
        { host: '127.0.0.1', port: Number(wanted.node), username: wanted.user, password: wanted.password },
      ],
      recipients: [],
    },
    auxiliary: { enabled: false },
    p2p: { enabled: false },
    // No share of a test is counted against its address.
    banning: { time: 1, checkThreshold: 1e9, invalidPercent: 1, purgeInterval: 300 },
    ports: [
      {
        port,
        enabled: true,
        tls: false,
        difficulty: {
          initial: difficulty,
          minimum: difficulty,
          maximum: difficulty,
          targetTime: 10,
          retargetTime: 86400,
          variance: 0.3,
        },
      },
    ],
    settings: {
      blockRefreshInterval: 500,
      connectionTimeout: 3600,
      jobRebroadcastTimeout: 60,
      tcpProxyProtocol: false,
    },
    statistics: {},
  },
  { identifier: '' },
  (_address, _port, worker, _auxiliary, _password, answer) => {
    const known = wanted.worker === undefined || worker === wanted.worker;
    answer({ error: null, authorized: known, disconnect: false });
  },
  (outcome) => {
    if (outcome !== true) say('log', { severity: 'error', text: String(outcome) });
  },
);

pool.on('log', (severity, message) => say('log', { severity, text: String(message) }));
pool.on('started', () => say('ready', { port }));
pool.on('share', (share, kind, accepted) => {
  say('share', {
    worker: share.addrPrimary,
    job: share.job,
    difficulty: share.difficulty,
    shareDiff: share.shareDiff === undefined ? null : Number(share.shareDiff),
    valid: kind === 'valid',
    reason: share.error ?? null,
  });
  if (share.blockType === 'primary') say('block', { height: share.height, hash: share.hash, accepted });
});

process.stdin.on('end', () => process.exit(0));
process.stdin.resume();
pool.setupPool();
