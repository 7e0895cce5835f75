// Remove drawn boxes and ruled lines from a mask of ink, as saccade.images.drawn_lines does.

import { boxesOf, Plane, roundEven } from "./arrays.js";

const SLOPES = Array.from({ length: 25 }, (_, k) => -0.12 + (0.24 * k) / 24);
const COVERED = 0.8;
const THICKEST = 0.05;

/** Return the ink without a frame around the rest and without lines from edge to edge. */
export function withoutLines(ink) {
  for (let k = 0; k < 2; k += 1) {
    const inside = insideFrame(ink);
    if (!inside) break;
    ink = inside;
  }
  return withoutRuling(withoutRuling(withoutBox(ink)).transposed(), true).transposed();
}

const count = (values) => values.reduce((all, one) => all + (one ? 1 : 0), 0);
const anyRow = (plane, from, to) => Uint8Array.from({ length: plane.width }, (_, x) => {
  for (let y = from; y < to; y += 1) if (plane.data[y * plane.width + x]) return 1;
  return 0;
});

function insideFrame(ink) {
  const { labels, boxes } = boxesOf(ink);
  const area = (box) => (box.bottom - box.top) * (box.right - box.left);
  const order = boxes.map((box, k) => ({ box, number: k + 1 })).sort((a, b) => area(b.box) - area(a.box));
  for (const { box, number } of order) {
    const own = new Plane(ink.height, ink.width, Int32Array.from(labels)).cut(box);
    const part = own.like(Uint8Array.from(own.data, (label) => (label === number ? 1 : 0)));
    const cut = ink.cut(box);
    const rest = own.like(Uint8Array.from(own.data, (label, i) => (cut.data[i] && label !== number ? 1 : 0)));
    const { height, width } = part;
    if (Math.min(height, width) < 0.25 * Math.max(ink.height, ink.width) || !rest.any()) return null;
    const span = rest.extent();
    if (span.bottom - span.top < 0.25 * height) continue;
    const rim = Math.max(2, roundEven(0.15 * Math.min(height, width)));
    const inner = height > 2 * rim && width > 2 * rim
      ? count(part.cut({ top: rim, bottom: height - rim, left: rim, right: width - rim }).data) : 0;
    const turned = part.transposed();
    const sides = [
      anyRow(part, 0, Math.min(rim, height)), anyRow(part, Math.max(0, height - rim), height),
      anyRow(turned, 0, Math.min(rim, width)), anyRow(turned, Math.max(0, width - rim), width),
    ];
    if (inner < 0.25 * count(part.data) && Math.min(...sides.map((side) => count(side) / side.length)) > 0.65) {
      return pasted(ink, rest, box);
    }
  }
  return null;
}

function pasted(ink, part, box) {
  const found = ink.like(new Uint8Array(ink.data.length));
  for (let y = 0; y < part.height; y += 1) {
    found.data.set(part.data.subarray(y * part.width, (y + 1) * part.width), (box.top + y) * ink.width + box.left);
  }
  return found;
}

function withoutBox(ink) {
  if (!ink.any()) return ink;
  const whole = ink.extent();
  const part = ink.cut(whole);
  const [across, down] = [linesOf(part), linesOf(part.transposed())];
  for (const [found, length] of [[across, part.height], [down, part.width]]) {
    const places = found.map(([, first, last]) => (first + last) / 2 / length);
    if (!places.length || Math.min(...places) > 0.15 || Math.max(...places) < 0.85) return ink;
  }
  const left = withoutCrumbs(erased(erased(part, across).transposed(), down).transposed());
  if (!left.any()) return ink;
  const rows = left.extent();
  if (rows.bottom - rows.top < 0.25 * part.height || count(left.data) < 0.02 * left.data.length) return ink;
  return pasted(ink, left, whole);
}

function withoutRuling(ink, marginsOnly = false) {
  let found = linesOf(ink);
  if (marginsOnly && found.length < 3) {
    const { height } = ink;
    found = found.filter(([, first, last]) => Math.min(first + last, 2 * height - first - last) < 0.3 * height);
  }
  if (!found.length) return ink;
  const left = withoutCrumbs(erased(ink, found));
  if (!left.any()) return ink;
  const ratio = found.length > 1 || marginsOnly ? 1.25 : 1.6;
  const box = left.extent();
  if ((box.right - box.left) * ratio > ink.width || box.bottom - box.top < 0.1 * ink.height) return ink;
  return left;
}

const aside = (width, slope) => Int32Array.from({ length: width }, (_, x) => roundEven(slope * (x - width / 2)));

function linesOf(ink) {
  const { height, width, data } = ink;
  if (Math.min(height, width) < 16) return [];
  const thick = new Uint8Array(data.length);
  for (let y = 0; y < height; y += 1) {
    const [up, down] = [Math.max(0, y - 1), Math.min(height - 1, y + 1)];
    for (let x = 0; x < width; x += 1) thick[y * width + x] = data[up * width + x] | data[y * width + x] | data[down * width + x];
  }
  let best = null;
  for (const slope of SLOPES) {
    const shift = aside(width, slope);
    const covered = Float64Array.from({ length: height }, (_, y) => {
      let sum = 0;
      for (let x = 0; x < width; x += 1) {
        const row = y + shift[x];
        if (row >= 0 && row < height) sum += thick[row * width + x];
      }
      return sum / width;
    });
    const most = Math.max(...covered);
    if (!best || most > best.most || (most === best.most && Math.abs(slope) < Math.abs(best.slope))) best = { slope, covered, most };
  }
  const found = [];
  for (let y = 0; y < height; y += 1) {
    if (best.covered[y] < COVERED) continue;
    const first = y;
    while (y + 1 < height && best.covered[y + 1] >= COVERED) y += 1;
    if (y + 1 - first <= 3 + Math.max(4, THICKEST * height)) found.push([best.slope, first, y]);
  }
  return found;
}

function erased(ink, lines) {
  const { height, width } = ink;
  const left = ink.like(ink.data.slice());
  for (const [slope, first, last] of lines) {
    const shift = aside(width, slope);
    const within = (row) => Math.min(height - 1, Math.max(0, row));
    const both = Uint8Array.from({ length: width }, (_, x) => {
      const above = ink.data[within(first + shift[x] - 1) * width + x];
      const below = ink.data[within(last + shift[x] + 1) * width + x];
      return above && below ? 1 : 0;
    });
    const crossed = both.map((one, x) => (one || both[x - 1] || both[x + 1] ? 1 : 0));
    for (let row = first - 1; row < last + 2; row += 1) {
      for (let x = 0; x < width; x += 1) {
        const at = row + shift[x];
        if (at >= 0 && at < height && !crossed[x]) left.data[at * width + x] = 0;
      }
    }
  }
  return left;
}

function withoutCrumbs(ink) {
  const { labels, boxes } = boxesOf(ink);
  if (!boxes.length) return ink;
  const sides = boxes.map((box) => Math.max(box.bottom - box.top, box.right - box.left));
  const least = 0.1 * Math.max(...sides);
  return ink.like(Uint8Array.from(labels, (label) => (label && sides[label - 1] >= least ? 1 : 0)));
}
