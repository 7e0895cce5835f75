// Strokes [[x, y], ...] as moves, scaled and simplified as saccade.sketch.strokes does.

const FRAME = 255;

/** Scale strokes to a longer side of 255 (`whole`: the side that counts as 255), and simplify them. */
export function framed(strokes, tolerance, whole) {
  const all = strokes.flat();
  const range = (axis) => {
    const values = all.map((point) => point[axis]);
    return [Math.min(...values), Math.max(...values)];
  };
  const [[left, right], [top, bottom]] = [range(0), range(1)];
  const extent = Math.max(right - left, bottom - top);
  if (!(extent > 0)) throw new Error("expected a drawing of 2 points or more, found fewer; draw more");
  const scale = FRAME / (whole ?? extent);
  return strokes.map((stroke) => simplified(stroke.map(([x, y]) => [(x - left) * scale, (y - top) * scale]), tolerance));
}

/** Leave out the points that are nearer than the tolerance to the line through the others (Ramer, Douglas, Peucker). */
function simplified(points, tolerance) {
  if (points.length < 3) return points;
  const [first, last] = [points[0], points.at(-1)];
  let [farthest, index] = [0, 0];
  for (let k = 1; k < points.length - 1; k += 1) {
    const away = distance(points[k], first, last);
    if (away > farthest) [farthest, index] = [away, k];
  }
  if (farthest <= tolerance) return [first, last];
  return [...simplified(points.slice(0, index + 1), tolerance).slice(0, -1), ...simplified(points.slice(index), tolerance)];
}

function distance([x, y], [ax, ay], [bx, by]) {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const part = length ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / length)) : 0;
  return Math.hypot(x - ax - part * dx, y - ay - part * dy);
}

/** Moves [dx, dy, lifted after it]; a first stroke of one point becomes a move of length 0. */
export function toMoves(strokes) {
  const own = strokes[0].length === 1 ? [[strokes[0][0], strokes[0][0]], ...strokes.slice(1)] : strokes;
  const points = own.flatMap((stroke) => stroke.map((point, k) => [...point, k === stroke.length - 1 ? 1 : 0]));
  return points.slice(1).map(([x, y, lifted], k) => [x - points[k][0], y - points[k][1], lifted]);
}
