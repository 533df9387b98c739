// Reads one JSON object a line, `{data (hex), level, version, mask}`, and answers each with its symbol: `{version,
// level, mask, size, rows}`, rows of 0 and 1, or null where it holds too much. `{capacity: [version, level]}` is
// answered with a number of bytes, `{outline: {…}}` with the path of that symbol. Driven by tests/test_browser_qr.py.
import { createInterface } from "node:readline";
import { capacity, encode, outline } from "../../miner/browser/pages/qr.js";

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let answer;
  if (request.capacity) answer = capacity(...request.capacity);
  else {
    const { data, ...fixed } = request.outline ?? request;
    const code = await encode(Uint8Array.from(Buffer.from(data, "hex")), fixed);
    if (!code || request.outline) answer = code && outline(code);
    else {
      const rows = Array.from({ length: code.size }, (_, row) =>
        code.modules.subarray(row * code.size, (row + 1) * code.size).join(""),
      );
      answer = { version: code.version, level: code.level, mask: code.mask, size: code.size, rows };
    }
  }
  console.log(JSON.stringify(answer));
}
