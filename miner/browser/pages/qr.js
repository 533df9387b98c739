// QR codes (ISO/IEC 18004:2015), model 2: byte mode, versions 1 to 40, error correction levels L and M.

const LEVELS = { L: 1, M: 0 }; // the two bits of the format information

// Table 9: error correction codewords of a block, and blocks, of versions 1 to 40.
const CHECKS = {
  L: [
    7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26, 28, 30, 30, 30,
    30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30,
  ],
  M: [
    10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26, 28, 28, 28, 28, 28, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  ],
};
const BLOCKS = {
  L: [
    1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19,
    20, 21, 22, 24, 25,
  ],
  M: [
    1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33,
    35, 37, 38, 40, 43, 45, 47, 49,
  ],
};

/** @typedef {"L" | "M"} Level */
/** @typedef {{version: number, level: Level, mask: number, size: number, modules: Uint8Array}} Code */

/**
 * The smallest symbol that holds `data`; level M where that takes no larger symbol than L, else L.
 * `modules` has size × size entries, row by row, 1 is dark; the quiet zone of 4 modules is not among them.
 * Null when no symbol holds as much (2,953 bytes is the most). It pauses between masks, for large symbols take long.
 * @param {Uint8Array} data
 * @param {{level?: Level, version?: number, mask?: number}} [fixed] a level, the smallest version, or a mask to use
 * @returns {Promise<Code | null>}
 */
export async function encode(data, fixed = {}) {
  const smallest = fixed.version ?? 1;
  const fit = (/** @type {Level} */ level) => {
    for (let version = smallest; version <= 40; version++) if (data.length <= capacity(version, level)) return version;
    return 0;
  };
  let level = fixed.level ?? "L";
  const version = fit(level);
  if (!version) return null;
  if (!fixed.level && fit("M") === version) level = "M";
  const symbol = new Symbol_(version, level);
  symbol.place(interleave(codewords(data, version, level), version, level));
  return symbol.masked(fixed.mask);
}

/** Bytes that a symbol holds. @param {number} version @param {Level} level */
export function capacity(version, level) {
  return dataCodewords(version, level) - (version < 10 ? 2 : 3);
}

/** @param {number} version */
function alignments(version) {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const last = 4 * version + 10;
  // At equal and even distances; what is left over goes to the first gap. Version 32 is the table's exception.
  const step = version === 32 ? 26 : 2 * Math.ceil((last - 6) / (count - 1) / 2);
  const centres = [6];
  for (let index = count - 2; index >= 0; index--) centres.push(last - index * step);
  return centres;
}

/** Codewords of a symbol: the modules that no pattern takes, by eights. @param {number} version */
function allCodewords(version) {
  const size = 4 * version + 17;
  const centres = alignments(version).length;
  let modules = size * size - 3 * 64 - 2 * (size - 16) - 31;
  if (centres) modules -= (centres * centres - 3) * 25 - 2 * (centres - 2) * 5;
  if (version >= 7) modules -= 36;
  return modules >> 3;
}

/** @param {number} version @param {Level} level */
function dataCodewords(version, level) {
  return allCodewords(version) - CHECKS[level][version - 1] * BLOCKS[level][version - 1];
}

/** @param {Uint8Array} data @param {number} version @param {Level} level */
function codewords(data, version, level) {
  const words = new Uint8Array(dataCodewords(version, level));
  let bit = 0;
  const write = (/** @type {number} */ value, /** @type {number} */ length) => {
    for (let shift = length - 1; shift >= 0; shift--, bit++)
      words[bit >> 3] |= ((value >> shift) & 1) << (7 - (bit & 7));
  };
  write(0b0100, 4);
  write(data.length, version < 10 ? 8 : 16);
  for (const byte of data) write(byte, 8);
  bit += Math.min(4, words.length * 8 - bit);
  for (let index = (bit + 7) >> 3, pad = 0xec; index < words.length; index++, pad ^= 0xec ^ 0x11) words[index] = pad;
  return words;
}

const EXP = new Uint8Array(510);
const LOG = new Uint8Array(256);
for (let power = 0, value = 1; power < 255; power++) {
  EXP[power] = EXP[power + 255] = value;
  LOG[value] = power;
  value = (value << 1) ^ (value & 128 ? 0x11d : 0);
}

/** Coefficients of (x - 1)(x - 2)…(x - 2^(degree - 1)) over GF(256) after the leading 1. @param {number} degree */
function generator(degree) {
  const poly = new Uint8Array(degree + 1);
  poly[0] = 1;
  for (let root = 0; root < degree; root++) {
    for (let index = root + 1; index > 0; index--) if (poly[index - 1]) poly[index] ^= EXP[LOG[poly[index - 1]] + root];
  }
  return poly.subarray(1);
}

/** @param {Uint8Array} words @param {Uint8Array} poly */
function remainder(words, poly) {
  const rest = new Uint8Array(poly.length);
  for (const word of words) {
    const factor = word ^ rest[0];
    rest.copyWithin(0, 1);
    rest[rest.length - 1] = 0;
    if (factor)
      for (let index = 0; index < poly.length; index++)
        if (poly[index]) rest[index] ^= EXP[LOG[poly[index]] + LOG[factor]];
  }
  return rest;
}

/** Data and error correction codewords in the order in which they are placed.
 * @param {Uint8Array} words @param {number} version @param {Level} level */
function interleave(words, version, level) {
  const count = BLOCKS[level][version - 1];
  const poly = generator(CHECKS[level][version - 1]);
  const short = Math.floor(words.length / count);
  const longFrom = count - (words.length % count);
  const blocks = [];
  for (let index = 0, start = 0; index < count; index++) {
    const block = words.subarray(start, (start += short + (index < longFrom ? 0 : 1)));
    blocks.push({ block, checks: remainder(block, poly) });
  }
  const out = [];
  for (let column = 0; column <= short; column++)
    for (const { block } of blocks) if (column < block.length) out.push(block[column]);
  for (let column = 0; column < poly.length; column++) for (const { checks } of blocks) out.push(checks[column]);
  return Uint8Array.from(out);
}

/** `value` with its BCH check bits. @param {number} value @param {number} poly */
function bch(value, poly) {
  const degree = 31 - Math.clz32(poly);
  let rest = value << degree;
  for (let bit = 31 - Math.clz32(rest); rest >> degree; bit = 31 - Math.clz32(rest)) rest ^= poly << (bit - degree);
  return (value << degree) | rest;
}

/** @type {((row: number, column: number) => boolean)[]} */
const MASKS = [
  (i, j) => (i + j) % 2 === 0,
  (i) => i % 2 === 0,
  (_, j) => j % 3 === 0,
  (i, j) => (i + j) % 3 === 0,
  (i, j) => ((i >> 1) + Math.floor(j / 3)) % 2 === 0,
  (i, j) => ((i * j) % 2) + ((i * j) % 3) === 0,
  (i, j) => (((i * j) % 2) + ((i * j) % 3)) % 2 === 0,
  (i, j) => (((i + j) % 2) + ((i * j) % 3)) % 2 === 0,
];

class Symbol_ {
  /** @param {number} version @param {Level} level */
  constructor(version, level) {
    this.version = version;
    this.level = level;
    this.size = 4 * version + 17;
    this.modules = new Uint8Array(this.size * this.size);
    this.fixed = new Uint8Array(this.size * this.size);
    this.#patterns();
  }

  /** @param {number} row @param {number} column @param {boolean | number} dark */
  #set(row, column, dark) {
    this.modules[row * this.size + column] = dark ? 1 : 0;
    this.fixed[row * this.size + column] = 1;
  }

  #patterns() {
    const { size, version } = this;
    for (let index = 8; index < size - 8; index++) {
      this.#set(6, index, index % 2 === 0);
      this.#set(index, 6, index % 2 === 0);
    }
    for (const [row, column] of [
      [3, 3],
      [3, size - 4],
      [size - 4, 3],
    ]) {
      for (let y = -4; y <= 4; y++) {
        for (let x = -4; x <= 4; x++) {
          const ring = Math.max(Math.abs(x), Math.abs(y));
          if (row + y >= 0 && row + y < size && column + x >= 0 && column + x < size)
            this.#set(row + y, column + x, ring !== 2 && ring !== 4);
        }
      }
    }
    const centres = alignments(version);
    const last = centres.length - 1;
    centres.forEach((row, first) =>
      centres.forEach((column, second) => {
        if ((first === 0 && (second === 0 || second === last)) || (first === last && second === 0)) return;
        for (let y = -2; y <= 2; y++)
          for (let x = -2; x <= 2; x++) this.#set(row + y, column + x, Math.max(Math.abs(x), Math.abs(y)) !== 1);
      }),
    );
    if (version >= 7) {
      const bits = bch(version, 0x1f25);
      for (let index = 0; index < 18; index++) {
        const [near, far] = [Math.floor(index / 3), size - 11 + (index % 3)];
        this.#set(near, far, (bits >> index) & 1);
        this.#set(far, near, (bits >> index) & 1);
      }
    }
    this.#format(0); // keeps their places free
  }

  /** @param {number} mask */
  #format(mask) {
    const { size } = this;
    const bits = bch((LEVELS[this.level] << 3) | mask, 0x537) ^ 0x5412;
    for (let index = 0; index < 15; index++) {
      const dark = (bits >> index) & 1;
      this.#set(index < 6 ? index : index < 8 ? index + 1 : size - 15 + index, 8, dark);
      this.#set(8, index < 8 ? size - 1 - index : index < 9 ? 7 : 14 - index, dark);
    }
    this.#set(size - 8, 8, 1);
  }

  /** Fill the codewords in, in columns of two from the right, up and down in turn. @param {Uint8Array} words */
  place(words) {
    const { size } = this;
    let bit = 0;
    for (let right = size - 1, up = true; right > 0; right -= 2, up = !up) {
      if (right === 6) right = 5;
      for (let step = 0; step < size; step++) {
        const row = up ? size - 1 - step : step;
        for (let column = right; column > right - 2; column--) {
          const index = row * size + column;
          if (this.fixed[index]) continue;
          if (bit < words.length * 8) this.modules[index] = (words[bit >> 3] >> (7 - (bit & 7))) & 1;
          bit++;
        }
      }
    }
  }

  /** The symbol under the mask with the lowest penalty. @param {number} [only] @returns {Promise<Code>} */
  async masked(only) {
    const plain = this.modules;
    /** @type {{mask: number, modules: Uint8Array} | null} */
    let best = null;
    let least = Infinity;
    for (let mask = 0; mask < 8; mask++) {
      if (only !== undefined && mask !== only) continue;
      await new Promise((done) => setTimeout(done));
      this.modules = plain.slice();
      this.#format(mask);
      const inverted = MASKS[mask];
      for (let row = 0, index = 0; row < this.size; row++) {
        for (let column = 0; column < this.size; column++, index++)
          if (!this.fixed[index] && inverted(row, column)) this.modules[index] ^= 1;
      }
      const points = penalty(this.modules, this.size);
      if (points < least) [least, best] = [points, { mask, modules: this.modules }];
    }
    if (!best) throw new RangeError("A mask is a number from 0 to 7.");
    return { version: this.version, level: this.level, size: this.size, ...best };
  }
}

/**
 * Points of section 7.8.3: the fewer, the better a symbol can be read.
 * @param {Uint8Array} modules @param {number} size
 */
function penalty(modules, size) {
  let points = 0;
  let dark = 0;
  for (const [line, step] of [
    [size, 1],
    [1, size],
  ]) {
    for (let start = 0; start < size; start++) {
      let run = 0;
      let before = -1;
      let window = 0; // the last eleven modules; outside of the symbol is light
      let finder = -1; // where a finder-like pattern was counted last, so that light on both sides counts once
      for (let place = 0; place < size + 4; place++) {
        const inside = place < size;
        const module = inside ? modules[start * line + place * step] : 0;
        window = ((window << 1) | module) & 0x7ff;
        if (window === 0b00001011101) {
          points += 40;
          finder = place;
        } else if (window === 0b10111010000 && finder !== place - 4) points += 40;
        if (!inside) continue;
        if (step === 1) dark += module;
        run = module === before ? run + 1 : 1;
        before = module;
        if (run === 5) points += 3;
        else if (run > 5) points += 1;
      }
    }
  }
  for (let row = 0; row < size - 1; row++) {
    for (let index = row * size, end = index + size - 1; index < end; index++) {
      const sum = modules[index] + modules[index + 1] + modules[index + size] + modules[index + size + 1];
      if (sum === 0 || sum === 4) points += 3;
    }
  }
  return points + 10 * Math.floor(Math.abs(dark * 20 - size * size * 10) / (size * size));
}

/**
 * The outline of all dark modules as the `d` of an SVG path, one unit a module, beginning at 0,0.
 * @param {Code} code
 */
export function outline(code) {
  let path = "";
  for (let row = 0; row < code.size; row++) {
    for (let column = 0; column < code.size; column++) {
      if (!code.modules[row * code.size + column]) continue;
      let end = column + 1;
      while (end < code.size && code.modules[row * code.size + end]) end++;
      path += `M${column} ${row}h${end - column}v1h${column - end}z`;
      column = end;
    }
  }
  return path;
}
