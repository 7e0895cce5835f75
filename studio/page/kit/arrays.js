// Small helpers for images as flat arrays: rounding as Python's, boxes, connected parts, Pillow's resampling.

/** Round half to even, as Python and NumPy do. */
export function roundEven(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Return the values where a mask is true. */
export function chosen(values, mask) {
  const found = new Float32Array(values.length);
  let count = 0;
  for (let i = 0; i < values.length; i += 1) {
    if (mask[i]) {
      found[count] = values[i];
      count += 1;
    }
  }
  return found.slice(0, count);
}

/** Put the k-th smallest value in its place, smaller ones before it and larger ones after it; return it. */
function placed(values, k) {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const pivot = values[(low + high) >> 1];
    let [i, j] = [low, high];
    while (i <= j) {
      while (values[i] < pivot) i += 1;
      while (values[j] > pivot) j -= 1;
      if (i <= j) {
        const kept = values[i];
        values[i] = values[j];
        values[j] = kept;
        i += 1;
        j -= 1;
      }
    }
    if (k <= j) high = j;
    else if (k >= i) low = i;
    else break;
  }
  return values[k];
}

export function median(values) {
  const copy = Float32Array.from(values);
  const half = copy.length >> 1;
  const upper = placed(copy, half);
  if (copy.length % 2) return upper;
  let lower = copy[0];
  for (let i = 1; i < half; i += 1) if (copy[i] > lower) lower = copy[i];
  return (lower + upper) / 2;
}

/** A mask or an image of height x width. */
export class Plane {
  constructor(height, width, data) {
    Object.assign(this, { height, width, data: data ?? new Uint8Array(height * width) });
  }

  like(data) {
    return new Plane(this.height, this.width, data);
  }

  any() {
    return this.data.some(Boolean);
  }

  sum() {
    return this.data.reduce((all, one) => all + one, 0);
  }

  transposed() {
    const data = new this.data.constructor(this.data.length);
    for (let y = 0; y < this.height; y += 1) {
      for (let x = 0; x < this.width; x += 1) data[x * this.height + y] = this.data[y * this.width + x];
    }
    return new Plane(this.width, this.height, data);
  }

  cut({ top, bottom, left, right }) {
    const [height, width] = [bottom - top, right - left];
    const data = new this.data.constructor(height * width);
    for (let y = 0; y < height; y += 1) {
      const start = (top + y) * this.width + left;
      data.set(this.data.subarray(start, start + width), y * width);
    }
    return new Plane(height, width, data);
  }

  /** The smallest box around the true pixels. */
  extent() {
    const box = { top: this.height, bottom: 0, left: this.width, right: 0 };
    for (let y = 0; y < this.height; y += 1) {
      for (let x = 0; x < this.width; x += 1) {
        if (!this.data[y * this.width + x]) continue;
        box.top = Math.min(box.top, y);
        box.bottom = y + 1;
        box.left = Math.min(box.left, x);
        box.right = Math.max(box.right, x + 1);
      }
    }
    return box;
  }
}

/** Label the parts that touch, at corners too: {labels (0: none), boxes} in the order of their first pixels. */
export function boxesOf(mask) {
  const { height, width, data } = mask;
  const labels = new Int32Array(data.length);
  const boxes = [];
  const stack = [];
  for (let first = 0; first < data.length; first += 1) {
    if (!data[first] || labels[first]) continue;
    const box = { top: height, bottom: 0, left: width, right: 0 };
    boxes.push(box);
    labels[first] = boxes.length;
    stack.push(first);
    while (stack.length) {
      const at = stack.pop();
      const [y, x] = [Math.floor(at / width), at % width];
      box.top = Math.min(box.top, y);
      box.bottom = Math.max(box.bottom, y + 1);
      box.left = Math.min(box.left, x);
      box.right = Math.max(box.right, x + 1);
      for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v += 1) {
        for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u += 1) {
          const other = v * width + u;
          if (data[other] && !labels[other]) {
            labels[other] = boxes.length;
            stack.push(other);
          }
        }
      }
    }
  }
  return { labels, boxes };
}

/** Twice the area of a form by the length of its edge: the mean width of its strokes. */
export function strokeWidth(form) {
  const { height, width, data } = form;
  let solid = 0;
  let inner = 0;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = y * width + x;
      if (!data[at]) continue;
      solid += 1;
      if (y && x && y < height - 1 && x < width - 1 && data[at - width] && data[at + width] && data[at - 1] && data[at + 1]) inner += 1;
    }
  }
  return (2 * solid) / Math.max(solid - inner, 1);
}

const FILTERS = {
  box: { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  lanczos: {
    support: 3,
    at(x) {
      const sinc = (v) => (v === 0 ? 1 : Math.sin(Math.PI * v) / (Math.PI * v));
      return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
    },
  },
};

/** Pillow's coefficients for one axis, in fixed point of 22 bits. */
function coefficients(from, to, { support, at }) {
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  return Array.from({ length: to }, (_, index) => {
    const centre = (index + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const last = Math.min(from, Math.trunc(centre + reach + 0.5));
    const weights = Array.from({ length: last - first }, (__, k) => at((k + first - centre + 0.5) / stretch));
    const sum = weights.reduce((all, one) => all + one, 0);
    return { first, weights: weights.map((one) => Math.trunc((one / sum) * 2 ** 22 + (one < 0 ? -0.5 : 0.5))) };
  });
}

/** Resample bytes [height, width, channels] as Pillow does: first along the rows, then along the columns. */
export function resample(bytes, height, width, channels, toHeight, toWidth, kind) {
  let [data, across] = [bytes, width];
  const clip = (sum) => Math.min(255, Math.max(0, Math.floor((sum + 2 ** 21) / 2 ** 22)));
  if (toWidth !== width) {
    const table = coefficients(width, toWidth, FILTERS[kind]);
    const out = new Uint8Array(height * toWidth * channels);
    for (let y = 0; y < height; y += 1) {
      table.forEach(({ first, weights }, x) => {
        for (let c = 0; c < channels; c += 1) {
          let sum = 0;
          weights.forEach((weight, k) => { sum += weight * data[(y * width + first + k) * channels + c]; });
          out[(y * toWidth + x) * channels + c] = clip(sum);
        }
      });
    }
    [data, across] = [out, toWidth];
  }
  if (toHeight === height) return data;
  const out = new Uint8Array(toHeight * across * channels);
  coefficients(height, toHeight, FILTERS[kind]).forEach(({ first, weights }, y) => {
    for (let x = 0; x < across * channels; x += 1) {
      let sum = 0;
      weights.forEach((weight, k) => { sum += weight * data[(first + k) * across * channels + x]; });
      out[y * across * channels + x] = clip(sum);
    }
  });
  return out;
}
