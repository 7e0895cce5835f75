// A picture's digits in MNIST's framing, as `saccade glimpse read` frames them: saccade.images.mnist_framing,
// digits_apart and likeness in JavaScript, for the page without Python. A test holds both to each other.

import { boxesOf, Plane, resample, roundEven, strokeWidth } from "./arrays.js";
import { findInk } from "./ink.js";
import { withoutLines } from "./lines.js";
import { unlikeADigit } from "./likeness.js";

const [BOX, STROKE] = [20, 2.5];
const [SOLID, FAINT, SPECK, TALL, MOST_DIGITS] = [0.22, 0.12, 0.15, 0.5, 12];
const [SEVERAL, BLOB, SCATTERED] = ["several digits that touch?", "a filled shape", "scattered marks"];
const SIDE = 28;

/** Return the digits of a picture, left to right: [{image: bytes of 28 x 28, doubt}]. Throws where there is no ink. */
export async function frameDigits(pixels, height, width, channels) {
  const rgb = channels === 3 ? pixels : Uint8Array.from({ length: 3 * pixels.length }, (_, i) => pixels[Math.floor(i / 3)]);
  const ink = findInk(rgb, height, width);
  if (!ink) throw new Error("expected a digit in the picture, of another colour than its paper, found no ink; give a clearer picture");
  const digits = marks(ink).map(({ ink: own, doubt }) => ({ image: framed(thickened(own)), doubt }));
  for (const digit of digits) {
    if (!digit.doubt && (await unlikeADigit(digit.image))) digit.doubt = "does not look like a digit";
  }
  return digits;
}

export function marks(ink) {
  const solid = ink.like(Uint8Array.from(ink.data, (level) => (level > SOLID ? 1 : 0)));
  const clean = withoutLines(solid);
  const { labels, boxes } = boxesOf(clean);
  const heights = boxes.map((box) => box.bottom - box.top);
  const sizes = boxes.map((box, k) => Math.max(heights[k], box.right - box.left));
  const least = SPECK * Math.max(...heights);
  const kept = boxes.map((_, k) => k).filter((k) => sizes[k] >= least);
  if (kept.filter((k) => sizes[k] >= 2).length > 5 * MOST_DIGITS) return [markOf(ink, solid, clean, SCATTERED)];
  const groups = groupsOf(kept.map((k) => boxes[k]));
  if (groups.length > MOST_DIGITS) return [markOf(ink, solid, clean, SCATTERED)];
  return groups.map((group) => {
    const own = new Set(group.map((k) => kept[k] + 1));
    const mask = ink.like(Uint8Array.from(labels, (label) => (own.has(label) ? 1 : 0)));
    return markOf(ink, solid, mask, doubtOf(mask, group.length));
  });
}

function groupsOf(boxes) {
  const tallest = Math.max(...boxes.map((box) => box.bottom - box.top));
  const order = boxes.map((_, k) => k).sort((a, b) => boxes[a].left - boxes[b].left);
  const tall = order.filter((k) => boxes[k].bottom - boxes[k].top >= TALL * tallest);
  const groups = [];
  for (const k of tall) {
    const last = groups.at(-1);
    if (last && belongs(boxes[k], last.map((one) => boxes[one]), tallest)) last.push(k);
    else groups.push([k]);
  }
  const short = boxes.map((_, k) => k).filter((k) => !tall.includes(k));
  for (const k of short) {
    const gaps = groups.map((group) => gapOf(boxes[k], group.map((one) => boxes[one])));
    const least = Math.min(...gaps);
    if (least <= 0.3 * tallest) groups[gaps.indexOf(least)].push(k);
  }
  return groups;
}

const overlap = (a, b, c, d) => (Math.min(b, d) - Math.max(a, c)) / Math.min(b - a, d - c);

function belongs(box, group, tallest) {
  const all = {
    top: Math.min(...group.map((one) => one.top)), bottom: Math.max(...group.map((one) => one.bottom)),
    left: Math.min(...group.map((one) => one.left)), right: Math.max(...group.map((one) => one.right)),
  };
  if (overlap(box.left, box.right, all.left, all.right) >= 0.5) return true;
  return overlap(box.top, box.bottom, all.top, all.bottom) <= 0.3 && gapOf(box, group) <= 0.2 * tallest;
}

function gapOf(box, group) {
  const between = (a, b, c, d) => Math.max(0, a - d, c - b);
  return Math.min(...group.map((other) => Math.max(
    between(box.top, box.bottom, other.top, other.bottom), between(box.left, box.right, other.left, other.right),
  )));
}

/** Cut out the ink of a mask, with its soft edges and without other strokes. */
function markOf(ink, solid, mask, doubt) {
  const { height, width } = ink;
  const near = mask.data.slice();
  for (let i = 0; i < near.length; i += 1) {
    if ((i >= width && mask.data[i - width]) || (i + width < near.length && mask.data[i + width])) near[i] = 1;
  }
  const alone = new Float32Array(near.length);
  for (let i = 0; i < near.length; i += 1) {
    const x = i % width;
    const wide = near[i] || (x && near[i - 1]) || (x < width - 1 && near[i + 1]);
    if (mask.data[i] || (wide && !solid.data[i])) alone[i] = ink.data[i];
  }
  const isSmall = Math.max(height, width) <= 56;
  const box = (isSmall ? mask.like(Uint8Array.from(alone, (level) => (level > FAINT ? 1 : 0))) : mask).extent();
  return { ink: ink.like(alone).cut(box), doubt };
}

function doubtOf(mask, parts) {
  const form = mask.cut(mask.extent());
  const { height, width } = form;
  if (width > 1.5 * height) return SEVERAL;
  if (parts > 4) return SCATTERED;
  const upright = boxesOf(form).boxes
    .filter((box) => box.bottom - box.top >= Math.max(0.3 * height, box.right - box.left))
    .sort((a, b) => a.top - b.top);
  if (upright.some((box, k) => k && box.top > upright[k - 1].bottom)) return SEVERAL;
  if (Math.min(height, width) > 0.5 * Math.max(height, width) && strokeWidth(form) > 0.5 * Math.min(height, width)) return BLOB;
  return null;
}

/** Make the lines of a thin pen as wide, in proportion, as MNIST's. */
function thickened(ink) {
  const levels = ink.like(Uint8Array.from(ink.data, (level) => roundEven(Math.fround(255 * level))));
  const width = strokeWidth(levels.like(levels.data.map((level) => (level > 127 ? 1 : 0))));
  const grow = Math.max(0, roundEven(((STROKE / BOX) * Math.max(ink.height, ink.width) - width) / 2));
  if (!grow) return levels;
  const [tall, broad] = [ink.height + 2 * grow, ink.width + 2 * grow];
  const wide = new Plane(tall, broad);
  for (let y = 0; y < tall; y += 1) {
    for (let x = 0; x < broad; x += 1) {
      let most = 0;
      for (let v = Math.max(0, y - 2 * grow); v <= Math.min(ink.height - 1, y); v += 1) {
        for (let u = Math.max(0, x - 2 * grow); u <= Math.min(ink.width - 1, x); u += 1) {
          most = Math.max(most, levels.data[v * ink.width + u]);
        }
      }
      wide.data[y * broad + x] = most;
    }
  }
  return wide.cut(wide.like(wide.data.map((level) => (level > 127 ? 1 : 0))).extent());
}

/** Scale ink into a box of 20 x 20, its centre of mass in the middle of 28 x 28. */
function framed(ink) {
  const scale = BOX / Math.max(ink.height, ink.width);
  const height = Math.max(1, roundEven(scale * ink.height));
  const width = Math.max(1, roundEven(scale * ink.width));
  const bytes = resample(ink.data, ink.height, ink.width, 1, height, width, "lanczos");
  const bright = 255 / Math.max(...bytes);
  const small = Float32Array.from(bytes, (level) => level * bright);
  const [rows, columns] = [new Float64Array(height), new Float64Array(width)];
  small.forEach((level, i) => {
    rows[Math.floor(i / width)] += level;
    columns[i % width] += level;
  });
  const corner = (sums) => {
    const all = sums.reduce((total, one) => total + one, 0);
    const centre = sums.reduce((total, one, k) => total + one * (k + 0.5), 0) / all;
    return Math.min(Math.max(roundEven(SIDE / 2 - centre), 0), SIDE - sums.length);
  };
  const [top, left] = [corner(rows), corner(columns)];
  const field = new Uint8Array(SIDE * SIDE);
  small.forEach((level, i) => {
    field[(top + Math.floor(i / width)) * SIDE + left + (i % width)] = roundEven(level);
  });
  return field;
}
