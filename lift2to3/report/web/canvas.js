let ink = {};

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const names = ["panel", "ink", "muted", "line", "floor", "grid", "left", "right", "middle"];
  for (const name of [...names, "observed", "observed-edge", "gap", "heat"]) {
    ink[name] = style.getPropertyValue(`--${name}`).trim();
  }
}

/** A canvas's context in CSS pixels, cleared; the canvas follows its box and the screen's density. */
function clearedContext(canvas, height = canvas.clientHeight) {
  const density = window.devicePixelRatio || 1;
  const wide = Math.max(1, Math.round(canvas.clientWidth * density));
  const high = Math.max(1, Math.round(height * density));
  if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
  const context = canvas.getContext("2d");
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, wide, high);
  context.font = "11px system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif";
  context.lineCap = context.lineJoin = "round";
  return { context, width: canvas.clientWidth, height };
}

function stroke(context, points, colour, width, alpha = 1) {
  context.globalAlpha = alpha;
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.beginPath();
  points.forEach((point, i) => (i ? context.lineTo(point[0], point[1]) : context.moveTo(point[0], point[1])));
  context.stroke();
  context.globalAlpha = 1;
}

function dot(context, point, radius, colour, alpha = 1, edge = null) {
  context.globalAlpha = alpha;
  context.fillStyle = colour;
  context.beginPath();
  context.arc(point[0], point[1], radius, 0, 2 * Math.PI);
  context.fill();
  if (edge) {
    context.strokeStyle = edge;
    context.lineWidth = 1;
    context.stroke();
  }
  context.globalAlpha = 1;
}
