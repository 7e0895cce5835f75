// A drawing as a file: SVG with a path for each stroke, or a GIF of the pen at work.

import { h } from "../../kit/dom.js";
import { applyPalette, GIFEncoder, quantize } from "../../kit/gifenc.js";
import { dot, ink } from "./endings.js";

export const SIDE = 300; // units of an SVG
const [PAPER, YOURS, ITS, PEN] = ["#ffffff", "#1f5fa8", "#22252a", "#e8590c"];
const [PIXELS, EVERY, LONGEST, STAY] = [300, 0.05, 12, 2000];

export function download(blob, name) {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

const path = (stroke) => `M${stroke.map(({ x, y }) => `${(x * SIDE).toFixed(3)},${(y * SIDE).toFixed(3)}`).join("L")}`;

/** Return strokes [{points, its}] as SVG; a person's are blue. */
export function svg(strokes) {
  const paths = strokes.map(({ points, its }) => `<path d="${path(points.length > 1 ? points : [...points, ...points])}" stroke="${its ? ITS : YOURS}"/>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${SIDE}" height="${SIDE}" viewBox="0 0 ${SIDE} ${SIDE}"><metadata>Software: Saccade</metadata><g fill="none" stroke-width="4" stroke-linecap="round" stroke-linejoin="round">\n${paths.join("\n")}\n</g></svg>\n`;
}

/** Return a GIF's bytes: what was there before, then the pen as it draws an ending (or none), then the whole. */
export function gif(strokes, ending) {
  const canvas = Object.assign(document.createElement("canvas"), { width: PIXELS, height: PIXELS });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const frame = (seconds) => {
    context.fillStyle = PAPER;
    context.fillRect(0, 0, PIXELS, PIXELS);
    for (const { points, its } of strokes) ink(context, [points], its ? ITS : YOURS, 4, PIXELS);
    if (ending) {
      const { strokes: drawn, pen } = ending.at(seconds);
      ink(context, drawn, ITS, 4, PIXELS);
      if (seconds < ending.seconds) dot(context, pen, 6, PEN, PIXELS);
    }
    return context.getImageData(0, 0, PIXELS, PIXELS).data;
  };
  const seconds = Math.min(ending?.seconds ?? 0, LONGEST);
  const both = new Uint8ClampedArray(2 * 4 * PIXELS ** 2);
  both.set(frame(seconds / 2));
  both.set(frame(Infinity), 4 * PIXELS ** 2);
  const palette = quantize(both, 32);
  const made = GIFEncoder();
  const add = (time, delay) => made.writeFrame(applyPalette(frame(time), palette), PIXELS, PIXELS, { palette: time === 0 || !seconds ? palette : undefined, delay });
  if (seconds) for (let time = 0; time < seconds; time += EVERY) add(time, 1000 * EVERY);
  add(Infinity, STAY);
  made.finish();
  return made.bytes();
}
