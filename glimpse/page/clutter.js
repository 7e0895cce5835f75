// Cluttered images of 60 x 60 pixels: a digit somewhere, and 8 x 8 pieces of other digits around it.

const SIDE = 60;
const DIGIT = 28;
const PIECE = 8;

const below = (count) => Math.floor(Math.random() * count);

/** Put a digit of 28 x 28 somewhere on an empty canvas. */
export function clean(digit) {
  const canvas = new Uint8Array(SIDE * SIDE);
  stamp(canvas, digit, DIGIT, below(SIDE - DIGIT + 1), below(SIDE - DIGIT + 1));
  return { canvas, pieces: [] };
}

/** Return the canvas with `count` pieces of examples; the pieces of before stay where they are. */
export function clutter(placed, count, examples, own) {
  placed.pieces.length = Math.min(placed.pieces.length, count);
  while (placed.pieces.length < count) {
    let other = below(examples.length);
    if (other === own) other = (other + 1) % examples.length;
    const [left, top] = [below(DIGIT - PIECE + 1), below(DIGIT - PIECE + 1)];
    const piece = new Uint8Array(PIECE * PIECE);
    for (let y = 0; y < PIECE; y += 1) {
      const start = (top + y) * DIGIT + left;
      piece.set(examples[other].image.subarray(start, start + PIECE), y * PIECE);
    }
    if (piece.reduce((sum, level) => sum + level, 0) < 1500) continue; // blank: nothing would be sprinkled
    placed.pieces.push({ piece, x: below(SIDE - PIECE + 1), y: below(SIDE - PIECE + 1) });
  }
  const canvas = placed.canvas.slice();
  for (const { piece, x, y } of placed.pieces) stamp(canvas, piece, PIECE, x, y);
  return canvas;
}

function stamp(canvas, image, side, left, top) {
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      const at = (top + y) * SIDE + left + x;
      canvas[at] = Math.max(canvas[at], image[y * side + x]);
    }
  }
}
