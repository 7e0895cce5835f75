// The distribution of the next move, as saccade.sketch.mixture has it: M Gaussians, and the pen's state.

export const [DOWN, LIFTED, END] = [0, 1, 2];
const [LEAST, MOST, FARTHEST, LARGEST_ATANH_RHO] = [-6, 6, 1e4, 4];
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** The parameters of example k, from y [B, 6 M + 3]. */
export function mixture({ data, dims: [, width] }, k) {
  const y = data.subarray(k * width, (k + 1) * width);
  const count = (width - 3) / 6;
  const part = (index) => [...y.subarray(3 + index * count, 3 + (index + 1) * count)];
  const bounded = (index, low, high) => part(index).map((value) => clamp(value, low, high));
  return {
    pen: [...y.subarray(0, 3)], logits: part(0),
    x: bounded(1, -FARTHEST, FARTHEST), y: bounded(2, -FARTHEST, FARTHEST),
    logX: bounded(3, LEAST, MOST), logY: bounded(4, LEAST, MOST), atanh: bounded(5, -LARGEST_ATANH_RHO, LARGEST_ATANH_RHO),
  };
}

export function softmax(logits) {
  const most = Math.max(...logits);
  const parts = logits.map((one) => Math.exp(one - most));
  const sum = parts.reduce((all, one) => all + one, 0);
  return parts.map((one) => one / sum);
}

/** The category at which the cumulative probability passes a number in [0, 1). */
function pick(logits, uniform) {
  let sum = 0;
  let passed = 0;
  for (const part of softmax(logits)) {
    sum += part;
    if (sum <= uniform) passed += 1;
  }
  return Math.min(passed, logits.length - 1);
}

/** Draw a move at a temperature, equation 8: [dx, dy, the pen's state]. */
export function draw(found, [one, two, nx, ny], temperature) {
  const j = pick(found.logits.map((logit) => logit / temperature), one);
  const pen = pick(found.pen.map((logit) => logit / temperature), two);
  const rho = Math.tanh(found.atanh[j]);
  const heat = Math.sqrt(temperature);
  return [
    found.x[j] + heat * Math.exp(found.logX[j]) * nx,
    found.y[j] + heat * Math.exp(found.logY[j]) * (rho * nx + Math.sqrt(1 - rho * rho) * ny),
    pen,
  ];
}

/** log p(dx, dy), equation 3. */
export function logDensity(found, dx, dy) {
  const weights = softmax(found.logits);
  const logs = weights.map((weight, j) => {
    const [zx, zy] = [(dx - found.x[j]) / Math.exp(found.logX[j]), (dy - found.y[j]) / Math.exp(found.logY[j])];
    const rho = Math.tanh(found.atanh[j]);
    const rest = 1 - rho * rho;
    return Math.log(weight) - Math.log(2 * Math.PI) - found.logX[j] - found.logY[j] - 0.5 * (Math.log(rest) + (zx * zx + zy * zy - 2 * rho * zx * zy) / rest);
  });
  const most = Math.max(...logs);
  return most + Math.log(logs.reduce((all, one) => all + Math.exp(one - most), 0));
}

/** The square root of the density around the pen, cells x cells bytes. */
export function density(found, reach, cells) {
  const along = (k) => reach * ((2 * k) / (cells - 1) - 1);
  const values = Float64Array.from({ length: cells * cells }, (_, i) => Math.exp(logDensity(found, along(i % cells), along(Math.floor(i / cells))) / 2));
  const most = Math.max(1e-9, ...values);
  return Uint8Array.from(values, (value) => Math.round((255 * value) / most));
}
