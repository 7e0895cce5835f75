// Find the ink in a picture, as saccade.images.ink does: by its contrast in colour with the paper.

import { chosen, median, resample, Plane } from "./arrays.js";

const FAINTEST = 6;
const PAPER = 0.12;
const LARGEST = 320;
const SPECKLED = 0.005;
const FEWEST_SPECKS = 8;
const ALIKE = 40;
const XYZ = [
  [0.4124564, 0.3575761, 0.1804375],
  [0.2126729, 0.7151522, 0.072175],
  [0.0193339, 0.119192, 0.9503041],
];

/** Return the ink, float [h, w] in [0, 1], of RGB bytes of at most 640 pixels a side; null: there is none. */
export function findInk(pixels, height, width) {
  const picture = shrunk(withoutSpeckle({ pixels, height, width }));
  const { contrast, paper } = contrastOf(toLab(picture.pixels), picture.height, picture.width);
  const sorted = contrast.slice().sort();
  const count = Math.max(8, Math.floor(contrast.length / 2000));
  const strongest = mean(sorted.subarray(sorted.length - Math.min(count, sorted.length)));
  const grain = quantile(chosen(contrast, paper), 0.95);
  if (strongest < Math.max(FAINTEST, 2.5 * grain)) return null;
  const least = Math.max(PAPER * strongest, 1.5 * grain);
  const ink = contrast.map((value) => Math.min(1, Math.max(0, (value - least) / Math.max(strongest - least, 1e-6))));
  return new Plane(picture.height, picture.width, ink);
}

const mean = (values) => values.reduce((all, one) => all + one, 0) / values.length;

function quantile(values, part) {
  const sorted = values.slice().sort();
  const at = part * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

/** Pillow's thumbnail: the aspect is kept, the longest side becomes 320. */
function shrunk({ pixels, height, width }) {
  if (width <= LARGEST && height <= LARGEST) return { pixels, height, width };
  const aspect = width / height;
  const nearest = (number, off) => {
    const [low, high] = [Math.floor(number), Math.ceil(number)];
    return Math.max(1, off(high) < off(low) ? high : low);
  };
  let [toWidth, toHeight] = [LARGEST, LARGEST];
  if (aspect <= 1) toWidth = nearest(LARGEST * aspect, (n) => Math.abs(aspect - n / LARGEST));
  else toHeight = nearest(LARGEST / aspect, (n) => (n === 0 ? 0 : Math.abs(aspect - LARGEST / n)));
  return { pixels: resample(pixels, height, width, 3, toHeight, toWidth, "box"), height: toHeight, width: toWidth };
}

/** Count the eight neighbours of a pixel that are like a colour; beyond the edge the edge goes on. */
function alikeAt(pixels, height, width, y, x, r, g, b) {
  let count = 0;
  for (let dy = -1; dy <= 1; dy += 1) {
    const row = Math.min(height - 1, Math.max(0, y + dy)) * width;
    for (let dx = -1; dx <= 1; dx += 1) {
      if (!dy && !dx) continue;
      const at = 3 * (row + Math.min(width - 1, Math.max(0, x + dx)));
      if (Math.abs(pixels[at] - r) <= ALIKE && Math.abs(pixels[at + 1] - g) <= ALIKE && Math.abs(pixels[at + 2] - b) <= ALIKE) count += 1;
    }
  }
  return count;
}

/** Replace specks by the median of their surroundings, twice, where there are many. */
function withoutSpeckle({ pixels, height, width }) {
  const fewest = Math.max(SPECKLED * height * width, FEWEST_SPECKS);
  for (const most of [0, 1, 1]) {
    const lonely = [];
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        const at = 3 * (y * width + x);
        if (alikeAt(pixels, height, width, y, x, pixels[at], pixels[at + 1], pixels[at + 2]) <= most) lonely.push(y * width + x);
      }
    }
    if (most === 0 && lonely.length < fewest) return { pixels, height, width };
    const specks = [];
    for (const at of lonely) {
      const [y, x] = [Math.floor(at / width), at % width];
      const [r, g, b] = [0, 1, 2].map((channel) => medianOf9(pixels, height, width, y, x, channel));
      if (alikeAt(pixels, height, width, y, x, r, g, b) >= 6) specks.push(at, r, g, b);
    }
    if (most === 0 && specks.length / 4 < fewest) return { pixels, height, width };
    pixels = pixels.slice();
    for (let k = 0; k < specks.length; k += 4) pixels.set(specks.slice(k + 1, k + 4), 3 * specks[k]);
  }
  return { pixels, height, width };
}

const nine = new Uint8Array(9);

function medianOf9(pixels, height, width, y, x, channel) {
  let count = 0;
  for (let dy = -1; dy <= 1; dy += 1) {
    const row = Math.min(height - 1, Math.max(0, y + dy)) * width;
    for (let dx = -1; dx <= 1; dx += 1) {
      const level = pixels[3 * (row + Math.min(width - 1, Math.max(0, x + dx))) + channel];
      let place = count;
      for (; place > 0 && nine[place - 1] > level; place -= 1) nine[place] = nine[place - 1];
      nine[place] = level;
      count += 1;
    }
  }
  return nine[4];
}

/** sRGB to CIELAB, white D65. */
function toLab(pixels) {
  const linear = Float64Array.from({ length: 256 }, (_, i) => (i / 255 <= 0.04045 ? i / 255 / 12.92 : ((i / 255 + 0.055) / 1.055) ** 2.4));
  const rows = XYZ.map((row) => row.map((value) => value / (row[0] + row[1] + row[2])));
  const bend = (value) => (value > 216 / 24389 ? Math.cbrt(value) : (value * 841) / 108 + 4 / 29);
  const lab = new Float32Array(pixels.length);
  for (let i = 0; i < pixels.length; i += 3) {
    const [x, y, z] = rows.map((row) => bend(row[0] * linear[pixels[i]] + row[1] * linear[pixels[i + 1]] + row[2] * linear[pixels[i + 2]]));
    lab[i] = 116 * y - 16;
    lab[i + 1] = 500 * (x - y);
    lab[i + 2] = 200 * (y - z);
  }
  return lab;
}

/** Each pixel's distance from the paper's colour, a quadratic surface, and the mask of the paper. */
function contrastOf(lab, height, width) {
  const count = height * width;
  const surface = new Float64Array(count * 6);
  for (let i = 0; i < count; i += 1) {
    const x = width > 1 ? -1 + (2 * (i % width)) / (width - 1) : -1;
    const y = height > 1 ? -1 + (2 * Math.floor(i / width)) / (height - 1) : -1;
    surface.set([1, x, y, x * y, x * x, y * y], 6 * i);
  }
  const rim = Math.max(1, Math.floor(Math.min(height, width) / 20));
  const border = new Uint8Array(count).fill(1);
  for (let y = rim; y < height - rim; y += 1) border.fill(0, y * width + rim, (y + 1) * width - rim);
  const found = [border, new Uint8Array(count).fill(1)].map((start) => fitted(surface, lab, start));
  return median(found[1].contrast) < median(found[0].contrast) ? found[1] : found[0];
}

function fitted(surface, lab, paper) {
  const count = paper.length;
  let contrast = new Float32Array(count);
  for (const terms of [1, 3, 3, 6, 6, 6, 6]) {
    const weights = leastSquares(surface, lab, paper, terms);
    contrast = new Float32Array(count);
    const flat = Float64Array.from(weights.flat());
    for (let i = 0; i < count; i += 1) {
      let [a, b, c] = [lab[3 * i], lab[3 * i + 1], lab[3 * i + 2]];
      for (let k = 0; k < terms; k += 1) {
        const own = surface[6 * i + k];
        a -= own * flat[3 * k];
        b -= own * flat[3 * k + 1];
        c -= own * flat[3 * k + 2];
      }
      contrast[i] = Math.sqrt(a * a + b * b + c * c);
    }
    const limit = Math.max(2, 2.5 * median(chosen(contrast, paper)));
    paper = new Uint8Array(count);
    for (let i = 0; i < count; i += 1) paper[i] = contrast[i] <= limit ? 1 : 0;
  }
  return { contrast, paper };
}

/** Solve the normal equations by Gauss with pivots: weights [terms][3]. */
function leastSquares(surface, lab, paper, terms) {
  const wide = terms + 3;
  const sums = new Float64Array(terms * wide);
  for (let i = 0; i < paper.length; i += 1) {
    if (!paper[i]) continue;
    const at = 6 * i;
    for (let row = 0; row < terms; row += 1) {
      const own = surface[at + row];
      const start = row * wide;
      for (let k = row; k < terms; k += 1) sums[start + k] += own * surface[at + k];
      sums[start + terms] += own * lab[3 * i];
      sums[start + terms + 1] += own * lab[3 * i + 1];
      sums[start + terms + 2] += own * lab[3 * i + 2];
    }
  }
  for (let row = 0; row < terms; row += 1) for (let k = 0; k < row; k += 1) sums[row * wide + k] = sums[k * wide + row];
  const system = Array.from({ length: terms }, (_, row) => sums.slice(row * wide, (row + 1) * wide));
  for (let column = 0; column < terms; column += 1) {
    let pivot = column;
    for (let row = column; row < terms; row += 1) if (Math.abs(system[row][column]) > Math.abs(system[pivot][column])) pivot = row;
    [system[column], system[pivot]] = [system[pivot], system[column]];
    const lead = system[column][column];
    if (Math.abs(lead) < 1e-12) continue;
    for (let row = 0; row < terms; row += 1) {
      if (row === column) continue;
      const part = system[row][column] / lead;
      for (let k = column; k < terms + 3; k += 1) system[row][k] -= part * system[column][k];
    }
  }
  return system.map((row, k) => [0, 1, 2].map((c) => (Math.abs(row[k]) < 1e-12 ? 0 : row[terms + c] / row[k])));
}
