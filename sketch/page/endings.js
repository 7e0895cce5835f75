// Endings of a drawing: their moves as they come in, the time at which the pen makes each, and the pen at work.

export const YOURS = "#74ade9";
export const ITS = "#ff8a3d";

const [DOWN, LIFTED, END] = [0, 1, 2];
const [SPEED, FASTER_UP, LEAST] = [1.15, 2.2, 0.022]; // parts of the pad in a second; seconds of the shortest move

/** One ending: the points that the pen reaches, and when. */
export class Ending {
  constructor(from, name) {
    Object.assign(this, { name, from, points: [], done: false, down: true, seconds: 0, densities: [] });
  }

  /** Take a move: [dx, dy, the pen's state after it]; null after the end. */
  add(move, isDown, density) {
    if (!move || this.done) return;
    const [dx, dy, state] = move;
    if (this.points.length === 0) this.down = isDown;
    if (state === END) {
      this.done = true;
      return;
    }
    const last = this.points.at(-1) ?? this.from;
    const length = Math.hypot(dx, dy);
    const start = this.seconds;
    this.seconds += Math.max(LEAST, length / (SPEED * (this.down ? 1 : FASTER_UP)));
    this.points.push({ x: last.x + dx, y: last.y + dy, inked: this.down, lifted: state === LIFTED, start, end: this.seconds });
    if (density) this.densities.push(density);
    this.down = state === DOWN;
  }

  /** Move everything, e.g. a drawing from noise into the middle of the pad. */
  shift(x, y) {
    this.from = { x: this.from.x + x, y: this.from.y + y };
    for (const point of this.points) {
      point.x += x;
      point.y += y;
    }
  }

  /** The strokes [[{x, y}]] that the pen has drawn by a time, where it is, and how many moves it has made. */
  at(seconds) {
    const strokes = [];
    let [stroke, pen, moves] = [null, this.from, 0];
    const begin = (point) => { stroke = [point]; strokes.push(stroke); };
    for (const point of this.points) {
      if (seconds <= point.start) break;
      const part = Math.min(1, (seconds - point.start) / (point.end - point.start));
      const now = { x: pen.x + (point.x - pen.x) * part, y: pen.y + (point.y - pen.y) * part };
      if (point.inked) {
        if (!stroke) begin(pen);
        stroke.push(now);
      }
      pen = now;
      if (part < 1) break;
      moves += 1;
      if (!point.inked) begin(now);
      if (point.lifted) stroke = null;
    }
    return { strokes, pen, moves };
  }

  /** All strokes; the first one goes on with the drawing's last, if the pen was down. */
  get strokes() {
    return this.at(Infinity).strokes;
  }

  get goesOn() {
    return Boolean(this.points[0]?.inked);
  }
}

/** Draw strokes [[{x, y}]] in a colour; width and side in pixels. */
export function ink(context, strokes, colour, width, side) {
  Object.assign(context, { strokeStyle: colour, lineWidth: width, lineCap: "round", lineJoin: "round" });
  for (const stroke of strokes) {
    context.beginPath();
    context.moveTo(stroke[0].x * side, stroke[0].y * side);
    for (const point of stroke.slice(1)) context.lineTo(point.x * side, point.y * side);
    if (stroke.length === 1) context.lineTo(stroke[0].x * side + 0.01, stroke[0].y * side);
    context.stroke();
  }
}

export function dot(context, { x, y }, radius, colour, side) {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x * side, y * side, radius, 0, 7);
  context.fill();
}
