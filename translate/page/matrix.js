// The alignment: a column for each word that is read, a row for each that is written, as in the films.

import { sharp } from "../../kit/dom.js";

const SLANT = (40 * Math.PI) / 180;

/** Draw the rows up to t; the canvas becomes as high as they need. */
export function draw(canvas, { read, written, weights }, t, theme) {
  const room = canvas.clientWidth || 300;
  const size = room < 500 ? 12 : 15;
  const measure = canvas.getContext("2d");
  const font = (bold) => `${bold ? 650 : 400} ${size}px ${theme.sans}`;
  measure.setTransform(1, 0, 0, 1, 0, 0);
  measure.font = font(true);
  const longest = (words) => Math.max(...words.map((word) => measure.measureText(word).width));
  const left = Math.min(longest(written) + 14, 0.36 * room);
  const above = Math.min(longest(read), 0.4 * room) * Math.sin(SLANT) + size + 8;
  const aside = Math.min(longest(read), 0.4 * room) * Math.cos(SLANT);
  const side = Math.max(8, Math.min(48, (room - left - 0.5 * aside - 8) / read.length));
  canvas.style.height = `${Math.ceil(above + side * written.length + 4)}px`;
  const { context } = sharp(canvas);
  context.clearRect(0, 0, room, above + side * written.length + 8);
  const now = weights[t];
  read.forEach((word, column) => {
    context.save();
    context.translate(left + (column + 0.5) * side, above - 7);
    context.rotate(-SLANT);
    context.font = font(now[column] > 0.3);
    context.fillStyle = now[column] > 0.3 ? theme.attention : theme.quiet;
    context.fillText(fitted(context, word, 0.4 * room), 0, size / 3);
    context.restore();
  });
  written.forEach((word, row) => {
    const top = above + row * side;
    const isWritten = row <= t;
    weights[row].forEach((weight, column) => {
      context.fillStyle = theme.faint;
      context.fillRect(left + column * side + 1, top + 1, side - 2, side - 2);
      if (!isWritten) return;
      context.globalAlpha = Math.min(1, weight);
      context.fillStyle = theme.gaze;
      context.fillRect(left + column * side + 1, top + 1, side - 2, side - 2);
      context.globalAlpha = 1;
    });
    if (!isWritten) return;
    context.font = font(row === t);
    context.fillStyle = row === t ? theme.belief : theme.ink;
    context.textAlign = "right";
    context.fillText(fitted(context, word, left - 12), left - 8, top + side / 2 + size * 0.36);
    context.textAlign = "left";
  });
}

function fitted(context, word, room) {
  if (context.measureText(word).width <= room) return word;
  let cut = word;
  while (cut.length > 1 && context.measureText(`${cut}…`).width > room) cut = cut.slice(0, -1);
  return `${cut}…`;
}
