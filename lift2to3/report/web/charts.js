const MARGIN = { left: 96, right: 14 };  // of every chart, so that their times stand under each other
const charts = [];

/** A round step so that ``span`` has about ``count`` of them. */
function roundStep(span, count) {
  const rough = span / count, power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough * 0.999);
}

/** The range's end: just over the largest value, but lone spikes may leave the picture. */
function topOf(series) {
  const values = Float32Array.from(series.values.filter((value) => !Number.isNaN(value))).sort();
  if (!values.length) return 1;
  return Math.max(1e-3, Math.min(values.at(-1) * 1.06, values[Math.floor(0.995 * (values.length - 1))] * 1.4));
}

function addChart(title, unit, names, draw, height, values = null) {
  const head = element(byId("charts"), "div", "", "head");
  element(head, "h2", title);
  element(head, "span", names, "muted");
  const now = element(head, "output", "", "muted push");
  const canvas = element(byId("charts"), "canvas");
  canvas.style.height = `${height}px`;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${title} over time`);
  charts.push({ canvas, height, draw, now, unit, values });
}

/** The frames that the charts show: all, or a stretch of so many seconds that moves on with playback. */
const range = { first: 0, last: 1, seconds: Infinity };

function moveRange(frame, anew = false) {
  if (!anew && frame >= range.first && frame <= range.last) return false;
  const length = Math.min(clip.frames - 1, Math.round(range.seconds * clip.fps));
  range.first = Math.max(0, Math.min(Math.round(frame - 0.1 * length), clip.frames - 1 - length));
  range.last = range.first + length;
  return true;
}

const plotWidth = (width) => Math.max(1, width - MARGIN.left - MARGIN.right);
const timeAt = (width, frame) =>
  MARGIN.left + (plotWidth(width) * (frame - range.first)) / Math.max(1, range.last - range.first);

/** Nothing is drawn beside the plot until ``context.restore``. */
function clipToPlot({ context, width, height }) {
  context.save();
  context.beginPath();
  context.rect(MARGIN.left - 1, 0, plotWidth(width) + 2, height);
  context.clip();
}

/** Frames that share a pixel of the charts, 1 where each has its own. */
function framesPerColumn(width) {
  const perPixel = (range.last - range.first) / plotWidth(width);
  return perPixel > 2 ? perPixel : 1;
}

/** Lowest, highest and mean value of each column of the charts; the mean is NaN where nothing is known. */
function columnsOf(series, channel, width) {
  const step = framesPerColumn(width), columns = [];
  for (let start = range.first; start <= range.last; start += step) {
    let low = Infinity, high = -Infinity, sum = 0, count = 0;
    for (let frame = Math.ceil(start); frame < start + step && frame <= range.last; frame++) {
      const value = series.at(frame, channel);
      if (Number.isNaN(value)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
      sum += value;
      count++;
    }
    columns.push({ x: timeAt(width, start + (step - 1) / 2), low, high, mean: sum / count });
  }
  return columns;
}

/** A line through the means, over a pale envelope where frames share a column. NaN is a gap. */
function drawLine(context, width, series, channel, yOf, colour, thick) {
  const columns = columnsOf(series, channel, width);
  context.fillStyle = context.strokeStyle = colour;
  context.lineWidth = thick;
  context.globalAlpha = 0.22;
  for (const { x, low, high } of columns) if (high > low) context.fillRect(x - 0.5, yOf(high), 1, yOf(low) - yOf(high));
  context.globalAlpha = 1;
  context.beginPath();
  let open = false;
  for (const { x, mean } of columns) {
    if (!Number.isNaN(mean)) {
      if (!open) context.moveTo(x - 0.01, yOf(mean));  // a lone sample is a dot
      context.lineTo(x, yOf(mean));
    }
    open = !Number.isNaN(mean);
  }
  context.stroke();
}

function lineChart(title, unit, names, series, lines, low = 0) {
  const top = topOf(series);
  addChart(title, unit, names, ({ context, width, height }) => {
    const yOf = (value) => Math.max(1, height - 8 - ((value - low) / (top - low)) * (height - 16));
    drawScale(context, width, low, top, yOf, unit);
    clipToPlot({ context, width, height });
    for (const { channel, colour, thick } of lines) {
      drawLine(context, width, series, channel, yOf, ink[colour], thick ?? 1.4);
    }
    context.restore();
  }, 92, (frame) => [series.at(frame, 0), series.at(frame, 1)]);
}

function drawScale(context, width, low, top, yOf, unit) {
  const step = roundStep(top - low, 3);
  context.textAlign = "right";
  for (let value = Math.ceil(low / step) * step; value <= top; value += step) {
    stroke(context, [[MARGIN.left, yOf(value)], [width - MARGIN.right, yOf(value)]], ink.line, value === 0 ? 1.2 : 0.7);
    context.fillStyle = ink.muted;
    const text = `${+value.toFixed(6)} ${unit}`.replace("-", "−");
    context.fillText(text, MARGIN.left - 8, Math.max(yOf(value) + 4, 10));
  }
}

function nameRow(context, name, y) {
  context.fillStyle = ink.muted;
  context.textAlign = "right";
  context.fillText(name.replaceAll("_", " "), MARGIN.left - 8, y + 9, MARGIN.left - 12);  // squeezed, never cut
}

/** One row of a chart along time, the more opaque the larger each column's mean is; empty where nothing is known. */
function drawRow({ context, width }, series, channel, y, high, opacityOf) {
  const half = (timeAt(width, framesPerColumn(width)) - timeAt(width, 0)) / 2;
  for (const { x, mean } of columnsOf(series, channel, width)) {
    if (Number.isNaN(mean)) continue;
    const left = Math.round(x - half);
    context.globalAlpha = opacityOf(mean);
    context.fillRect(left, y, Math.max(1, Math.round(x + half) - left), high);
  }
  context.globalAlpha = 1;
}

/** A bar while a heel or toe is in contact; paler where it is so in part of a column's frames only. */
function drawContacts(area) {
  const { context, width } = area;
  clip.contact_points.forEach((name, row) => nameRow(context, name, 4 + 13 * row));
  clipToPlot(area);
  clip.contact_points.forEach((name, row) => {
    context.fillStyle = ink.line;
    context.fillRect(0, 8 + 13 * row, width, 1);
    context.fillStyle = ink[name.split("_")[0]];
    drawRow(area, clip.contact, row, 4 + 13 * row, 9, (share) => share);
  });
  context.restore();
}

const HEAT_ROW = 12;

/** Joints × time: the stronger the colour, the larger the error. */
function drawHeatmap(area) {
  const { context, width } = area;
  clip.observed_names.forEach((name, row) => nameRow(context, name, 2 + HEAT_ROW * row));
  clipToPlot(area);
  clip.observed_names.forEach((name, row) => {
    context.fillStyle = ink.floor;
    context.fillRect(0, 2 + HEAT_ROW * row, width, HEAT_ROW - 1);
    context.fillStyle = ink.heat;
    const opacityOf = (error) => 0.04 + 0.96 * Math.min(1, error / clip.error.top);
    drawRow(area, clip.error, row, 2 + HEAT_ROW * row, HEAT_ROW - 1, opacityOf);
  });
  context.restore();
}

function clockText(seconds, digits) {
  const minutes = Math.floor(seconds / 60), rest = (seconds - 60 * minutes).toFixed(digits);
  return minutes ? `${minutes}:${rest.padStart(digits ? digits + 3 : 2, "0")}` : `${rest} s`;
}

function drawTimeAxis({ context, width }) {
  const [start, end] = [range.first / clip.fps, Math.max(range.last, range.first + 1) / clip.fps];
  const rough = (end - start) / Math.max(2, plotWidth(width) / 90);
  const round = [10, 15, 20, 30, 60, 120, 300, 600, 1800].find((step) => step >= rough) ?? 3600;
  const step = rough > 5 ? round : roundStep(rough, 1);
  context.textAlign = "center";
  for (let tick = Math.ceil(start / step - 1e-6); tick * step <= end + 1e-9; tick++) {
    const x = timeAt(width, tick * step * clip.fps);
    stroke(context, [[x, 0], [x, 4]], ink.muted, 1);
    context.fillStyle = ink.muted;
    context.fillText(clockText(tick * step, step < 1 ? (step < 0.1 ? 2 : 1) : 0), x, 16);
  }
}

function makeCharts() {
  const median = { channel: 0, colour: "ink" }, high = { channel: 1, colour: "gap", thick: 1 };
  const quantiles = "median of the joints; in colour, 90 % lie below";
  const sides = [{ channel: 0, colour: "left" }, { channel: 1, colour: "right" }];
  if (clip.projected) {
    clip.error.top = topOf(clip.error);
    lineChart("Reprojection error", "px", quantiles, clip.error_by_time, [high, median]);
    addChart("Reprojection error by joint", "", "the stronger, the larger; empty where not observed",
      drawHeatmap, 4 + HEAT_ROW * clip.observed_names.length);
  }
  if (!document.body.classList.contains("no-spread")) {
    lineChart("Spread", "cm", quantiles, clip.spread_by_time, [high, median]);
  }
  const lowest = clip.foot_height.values.reduce((least, value) => (value < least ? value : least), 0);
  lineChart("Foot height", "cm", "lower of heel and toe", clip.foot_height, sides, Math.min(-2, lowest * 1.1));
  addChart("Contact with the floor", "", "of heels and toes", drawContacts, 58);
  lineChart("Foot sliding", "mm", "per 1/30 s in contact with the floor", clip.foot_sliding, sides);
  addChart("", "", "", drawTimeAxis, 20);
  charts.at(-1).canvas.previousSibling.remove();
}

/** Buttons for the stretch of time that the charts show, where the clip is longer than that. */
function makeSpans() {
  const spans = [["All", Infinity], ["1 min", 60], ["10 s", 10], ["2 s", 2]];
  for (const [name, seconds] of spans) {
    if (seconds !== Infinity && seconds * clip.fps >= clip.frames - 1) continue;
    const button = element(byId("spans"), "button", name);
    button.type = "button";
    button.setAttribute("aria-pressed", String(seconds === Infinity));
    button.addEventListener("click", () => {
      for (const other of byId("spans").children) other.setAttribute("aria-pressed", String(other === button));
      range.seconds = seconds;
      moveRange(player.frame, true);
      drawCharts();
      invalidate();
    });
  }
  byId("spans").hidden = byId("spans").children.length < 2;
}

function drawCharts() {
  for (const chart of charts) chart.draw(clearedContext(chart.canvas, chart.height));
  byId("envelope").hidden = framesPerColumn(byId("charts").clientWidth) === 1;
}

function seekOnCharts() {
  const seek = (event) => {
    const box = byId("charts").getBoundingClientRect();
    const share = Math.max(0, Math.min(1, (event.clientX - box.left - MARGIN.left) / plotWidth(box.width)));
    show(range.first + Math.round(share * (range.last - range.first)));
  };
  byId("charts").addEventListener("pointerdown", (event) => {
    byId("charts").setPointerCapture(event.pointerId);
    seek(event);
  });
  byId("charts").addEventListener("pointermove", (event) => event.buttons & 1 && seek(event));
}
