// torch's random numbers on the CPU, so that a seed draws the same here, in Python and on the command line.

/** The Mersenne twister MT19937. */
export class Generator {
  constructor(seed) {
    this.state = new Uint32Array(624);
    this.state[0] = seed >>> 0;
    for (let i = 1; i < 624; i += 1) {
      const before = this.state[i - 1] ^ (this.state[i - 1] >>> 30);
      this.state[i] = (Math.imul(1812433253, before) + i) >>> 0;
    }
    this.index = 624;
  }

  next() {
    if (this.index === 624) this.#twist();
    let y = this.state[this.index];
    this.index += 1;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #twist() {
    const s = this.state;
    for (let i = 0; i < 624; i += 1) {
      const y = (s[i] & 0x80000000) | (s[(i + 1) % 624] & 0x7fffffff);
      s[i] = s[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.index = 0;
  }

  /** torch.rand(count), float32. */
  uniform(count) {
    return Float32Array.from({ length: count }, () => (this.next() & 0xffffff) / 2 ** 24);
  }

  /** torch.randn(count), float32, for 16 numbers or more: Box and Muller on blocks of 16. */
  normal(count) {
    if (count < 16) throw new Error("expected 16 numbers or more");
    const data = this.uniform(count);
    const block = (start) => {
      for (let j = start; j < start + 8; j += 1) {
        const radius = Math.sqrt(-2 * Math.log(Math.fround(1 - data[j])));
        const angle = 2 * Math.PI * data[j + 8];
        data[j] = radius * Math.cos(angle);
        data[j + 8] = radius * Math.sin(angle);
      }
    };
    for (let start = 0; start + 16 <= count; start += 16) block(start);
    if (count % 16) {
      data.set(this.uniform(16), count - 16);
      block(count - 16);
    }
    return data;
  }
}
