// The scene that a person moves a digit in: its frames as the network sees them, grey levels of 96 x 96.

import { fromBase64 } from "../../kit/pixels.js";

export const SIDE = 96;
const [GLYPH, BOX] = [28, 22]; // of a digit's picture, of which it fills 20
const PATHS = [ // of the other digits: Lissajous figures that never come too near to the middle
  { digit: 4, x: 0.22, y: 0.3, rx: 0.12, ry: 0.16, speed: 0.7, at: 0 },
  { digit: 7, x: 0.78, y: 0.28, rx: 0.12, ry: 0.14, speed: 0.9, at: 2 },
  { digit: 2, x: 0.5, y: 0.82, rx: 0.3, ry: 0.06, speed: 0.55, at: 4 },
];

export class Scene {
  constructor(glyphs) {
    this.glyphs = glyphs.map(fromBase64);
    this.begin(3);
  }

  begin(digit) {
    Object.assign(this, { digit, x: SIDE / 2, y: SIDE / 2, seconds: 0 });
  }

  /** Put the digit's middle somewhere, as a part of the frame. */
  put(x, y) {
    const within = (value) => Math.min(SIDE - 8, Math.max(8, value * SIDE));
    [this.x, this.y] = [within(x), within(y)];
  }

  /** The box of the digit: left, top, width, height. */
  get box() {
    return [Math.round(this.x - BOX / 2), Math.round(this.y - BOX / 2), BOX, BOX];
  }

  /** Return the frame after some seconds. */
  frame(seconds, hasWall) {
    this.seconds += seconds;
    const levels = new Uint8Array(SIDE * SIDE);
    for (const { digit, x, y, rx, ry, speed, at } of PATHS) {
      const phase = this.seconds * speed + at;
      const own = digit === this.digit ? (digit + 1) % 10 : digit;
      this.#stamp(levels, this.glyphs[own], (x + rx * Math.cos(phase)) * SIDE, (y + ry * Math.sin(1.3 * phase)) * SIDE);
    }
    this.#stamp(levels, this.glyphs[this.digit], this.x, this.y);
    if (hasWall) for (let row = 0; row < SIDE; row += 1) levels.fill(70, row * SIDE + 0.6 * SIDE, row * SIDE + 0.92 * SIDE);
    return levels;
  }

  #stamp(levels, glyph, x, y) {
    const [left, top] = [Math.round(x - GLYPH / 2), Math.round(y - GLYPH / 2)];
    for (let row = Math.max(0, -top); row < Math.min(GLYPH, SIDE - top); row += 1) {
      for (let column = Math.max(0, -left); column < Math.min(GLYPH, SIDE - left); column += 1) {
        const at = (top + row) * SIDE + left + column;
        levels[at] = Math.max(levels[at], glyph[row * GLYPH + column]);
      }
    }
  }
}
