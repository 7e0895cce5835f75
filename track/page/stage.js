// A frame with the window and the answer over it; what the window sees; the confidence so far.

import { h, sharp } from "../../kit/dom.js";

const [WINDOW, ANSWER, MINE] = ["#ff8a3d", "#74ade9", "#ffffff"];

/** Return a frame's pixels, grey or in colour, as a small canvas. */
export function framed(levels, width, height, channels) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    for (let k = 0; k < 3; k += 1) image.data[4 * i + k] = levels[channels * i + (channels === 3 ? k : 0)];
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** Draw a frame {levels, width, height, channels}, what was found in it, and a box that a person draws. */
export function show(canvas, frame, found, mine) {
  const { context, width, height } = sharp(canvas);
  context.imageSmoothingEnabled = false;
  context.drawImage(framed(frame.levels, frame.width, frame.height, frame.channels), 0, 0, width, height);
  const outline = ([x, y, w, t], colour, thick, dash = []) => {
    const at = [(x * width) / frame.width, (y * height) / frame.height, (w * width) / frame.width, (t * height) / frame.height];
    context.setLineDash([]);
    Object.assign(context, { strokeStyle: "rgb(0 0 0 / 45%)", lineWidth: thick + 2 });
    context.strokeRect(...at);
    context.setLineDash(dash);
    Object.assign(context, { strokeStyle: colour, lineWidth: thick });
    context.strokeRect(...at);
    context.setLineDash([]);
  };
  if (found?.window) outline(found.window, WINDOW, 2);
  if (found) outline(found.box, ANSWER, 3, found.confidence < 0.5 ? [7, 6] : []);
  if (mine) outline(mine, MINE, 2, [4, 4]);
}

/** Draw what the window sees, in orange where the target probably is. */
export function sight(canvas, { patch, place }, side, channels) {
  if (canvas.width !== side) Object.assign(canvas, { width: side, height: side });
  const image = new ImageData(side, side);
  const glow = [255, 138, 61];
  for (let i = 0; i < side * side; i += 1) {
    const part = (0.75 * place[i]) / 255;
    for (let k = 0; k < 3; k += 1) {
      image.data[4 * i + k] = patch[channels * i + (channels === 3 ? k : 0)] * (1 - part) + glow[k] * part;
    }
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Show confidences as bars: orange where it is lost. */
export function chart(root, confidences, now) {
  while (root.children.length > confidences.length) root.lastChild.remove();
  while (root.children.length < confidences.length) root.append(h("span"));
  confidences.forEach((confidence, t) => {
    const bar = root.children[t];
    bar.style.height = `${100 * (confidence ?? 0)}%`;
    bar.classList.toggle("lost", confidence != null && confidence < 0.5);
    bar.classList.toggle("now", t === now);
  });
}
