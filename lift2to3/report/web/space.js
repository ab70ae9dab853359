const space = {
  canvas: document.querySelector("#space canvas"),
  target: [0, 0, 0.9], azimuth: 0, elevation: 0.3, distance: 5, zoom: 1.5,
  follow: false, uncertain: false, extent: null, path: [], scale: null,
};

const subtract = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const dotProduct = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

/** The pelvis's path, thinned, and the floor that it and a camera near by cover. */
function measureScene() {
  const pelvis = clip.names.indexOf("pelvis");
  let low = [Infinity, Infinity], high = [-Infinity, -Infinity], last = null;
  const thin = Math.max(0.03, Math.min(0.2, (clip.path_m ?? 0) / 1500));
  const include = (x, y) => {
    low = [Math.min(low[0], x), Math.min(low[1], y)];
    high = [Math.max(high[0], x), Math.max(high[1], y)];
  };
  for (let frame = 0; frame < clip.frames; frame++) {
    const point = point3(frame, pelvis);
    if (!known(point)) { last = null; continue; }
    include(point[0], point[1]);
    if (last && Math.hypot(point[0] - last[0], point[1] - last[1]) < thin) continue;
    space.path.push({ frame, point: [point[0], point[1], 0], joined: last !== null });
    last = point;
  }
  for (const world of clip.others) {
    for (let frame = 0; frame < clip.frames; frame++) {
      const point = point3(frame, pelvis, world);
      if (known(point)) include(point[0], point[1]);
    }
  }
  if (!space.path.length) include(...clip.middle);
  const middle = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2];
  space.size = Math.max(1.6, Math.hypot(high[0] - low[0], high[1] - low[1]));
  const [x, y] = clip.camera?.centre ?? middle;
  if (Math.hypot(x - middle[0], y - middle[1]) < 12) include(x, y);
  space.bounds = [low[0] - 0.4, low[1] - 0.4, high[0] + 0.4, high[1] + 0.4];
  space.extent = [...low.map((v) => Math.floor(v - 0.6)), ...high.map((v) => Math.ceil(v + 0.6))];
  space.step = Math.max(...[0, 1].map((axis) => space.extent[axis + 2] - space.extent[axis])) > 40 ? 5 : 1;
  space.middle = [...middle, 0.85];
  space.follow = space.size > 4;
}

/** Target and distance such that the whole path, and a camera near by, fill the canvas. */
function fitAll() {
  const [x0, y0, x1, y1] = space.bounds;
  const points = [];
  for (const x of [x0, x1]) for (const y of [y0, y1]) for (const z of [0, 1.8]) points.push([x, y, z]);
  const { clientWidth: width, clientHeight: height } = space.canvas;
  space.target = [(x0 + x1) / 2, (y0 + y1) / 2, 0.9];
  space.distance = 200;
  for (let round = 0; round < 4; round++) {
    const { project, right, up, focal } = orbitCamera(width, height);
    const flat = points.map(project).filter(Boolean);
    const [lows, highs] = [Math.min, Math.max].map((pick) => [0, 1].map((axis) => pick(...flat.map((p) => p[axis]))));
    const off = [0, 1].map((axis) => (lows[axis] + highs[axis] - [width, height][axis]) / 2);
    const metres = space.distance / focal;
    space.target = space.target.map((v, axis) => v + metres * (off[0] * right[axis] - off[1] * up[axis]));
    const share = Math.max((highs[0] - lows[0]) / width, (highs[1] - lows[1]) / height);
    space.distance = Math.max(3.2, (space.distance * share) / 0.9);
  }
}

function lookFrom(view) {
  const { centre, forward, zoom } = clip.camera ?? {};
  const back = centre ? Math.atan2(centre[1] - space.middle[1], centre[0] - space.middle[0]) : -Math.PI / 2;
  const looks = {
    person: [back + 0.61, 0.22], overview: [back + 0.61, 0.4],
    front: [-Math.PI / 2, 0.03], side: [0, 0.03], top: [-Math.PI / 2, 1.5],
  };
  space.zoom = 1.5;
  space.target = [...space.middle];
  if (view === "person") setFollow(space.size > 4);
  if (view === "overview") setFollow(false);
  if (view === "camera") {
    const away = Math.max(1, dotProduct(subtract(space.middle, centre), forward));
    space.zoom = zoom;
    space.target = centre.map((value, axis) => value + away * forward[axis]);
    space.azimuth = Math.atan2(-forward[1], -forward[0]);
    space.elevation = Math.asin(Math.max(-1, Math.min(1, -forward[2])));
    space.distance = away;
    setFollow(false);
  } else {
    [space.azimuth, space.elevation] = looks[view];
    if (space.follow) space.distance = 4.6;
    else fitAll();
  }
  invalidate();
}

function setFollow(on) {
  space.follow = on;
  byId("follow").setAttribute("aria-pressed", String(on));
}

/** Where the pelvis is, averaged over a second; the last known place in a gap. */
function followed(frame) {
  const pelvis = clip.names.indexOf("pelvis"), half = Math.round(clip.fps / 2);
  let sum = [0, 0], count = 0;
  for (let f = Math.max(0, frame - half); f <= Math.min(clip.frames - 1, frame + half); f++) {
    const point = point3(f, pelvis);
    if (known(point)) { sum = [sum[0] + point[0], sum[1] + point[1]]; count++; }
  }
  return count ? [sum[0] / count, sum[1] / count, space.target[2]] : space.target;
}

/** A pinhole on the orbit: world metres to canvas pixels and depth. */
function orbitCamera(width, height) {
  const { azimuth, elevation, distance, target } = space;
  const cosine = Math.cos(elevation), sine = Math.sin(elevation);
  const back = [Math.cos(azimuth) * cosine, Math.sin(azimuth) * cosine, sine];
  const right = [-Math.sin(azimuth), Math.cos(azimuth), 0];
  const up = [-Math.cos(azimuth) * sine, -Math.sin(azimuth) * sine, cosine];
  const eye = target.map((value, axis) => value + distance * back[axis]);
  const focal = space.zoom * height;
  const toView = (point) => {
    const away = subtract(point, eye);
    return [dotProduct(away, right), dotProduct(away, up), -dotProduct(away, back)];
  };
  const flatten = (v) => [width / 2 + (focal * v[0]) / v[2], height / 2 - (focal * v[1]) / v[2], v[2]];
  const NEAR = 0.1;
  /** Where the way from a point before the viewer to one behind leaves the picture. */
  const cut = (inner, outer) => {
    const t = (inner[2] - NEAR) / (inner[2] - outer[2]);
    return inner.map((value, axis) => value + t * (outer[axis] - value));
  };
  return {
    right, up, focal,
    project: (point) => {
      const view = toView(point);
      return view[2] > NEAR ? flatten(view) : null;
    },
    /** Both ends of a segment, cut where it passes the viewer; null if it lies behind. */
    segment: (a, b) => {
      let [p, q] = [toView(a), toView(b)];
      if (p[2] <= NEAR && q[2] <= NEAR) return null;
      if (p[2] <= NEAR) p = cut(q, p);
      else if (q[2] <= NEAR) q = cut(p, q);
      return [flatten(p), flatten(q)];
    },
    /** What of a polygon lies before the viewer. */
    polygon: (corners) => {
      const views = corners.map(toView), kept = [];
      views.forEach((view, i) => {
        const next = views[(i + 1) % views.length];
        if (view[2] > NEAR) kept.push(view);
        if (view[2] > NEAR !== next[2] > NEAR) kept.push(view[2] > NEAR ? cut(view, next) : cut(next, view));
      });
      return kept.map(flatten);
    },
  };
}

function drawFloor(context, camera) {
  const [x0, y0, x1, y1] = space.extent;
  const corners = camera.polygon([[x0, y0, 0], [x1, y0, 0], [x1, y1, 0], [x0, y1, 0]]);
  context.fillStyle = ink.floor;
  context.beginPath();
  for (const corner of corners) context.lineTo(corner[0], corner[1]);
  context.fill();
  const line = (a, b, bold) => {
    const ends = camera.segment(a, b);
    if (ends) stroke(context, ends, ink.grid, bold ? 1.4 : 0.8);
  };
  for (let x = x0; x <= x1; x += space.step) line([x, y0, 0], [x, y1, 0], x === 0);
  for (let y = y0; y <= y1; y += space.step) line([x0, y, 0], [x1, y, 0], y === 0);
  context.fillStyle = ink.muted;
  context.textAlign = "center";
  const written = [];
  const label = (point, text) => {
    const place = camera.project(point);
    if (!place || written.some((other) => Math.hypot(other[0] - place[0], other[1] - place[1]) < 18)) return;
    context.fillText(text.replace("-", "−"), place[0], place[1] + 4);
    written.push(place);
  };
  const every = space.step * Math.max(1, Math.ceil(Math.max(x1 - x0, y1 - y0) / space.step / 10));
  for (let x = Math.ceil(x0 / every) * every; x <= x1; x += every) label([x, y0 - 0.25, 0], `${x}`);
  for (let y = Math.ceil(y0 / every) * every; y <= y1; y += every) label([x0 - 0.25, y, 0], `${y}`);
  label([(x0 + x1) / 2 + 0.5, y0 - 0.7, 0], "x (m)");
  label([x0 - 0.7, (y0 + y1) / 2 + 0.5, 0], "y (m)");
}

function drawPath(context, camera, frame) {
  const recent = (step) => step.frame <= frame && step.frame > frame - 20 * clip.fps;
  for (const bold of [false, true]) {
    context.strokeStyle = ink.middle;
    context.globalAlpha = bold ? 0.8 : 0.35;
    context.lineWidth = bold ? 1.8 : 1;
    context.beginPath();
    for (let i = 1; i < space.path.length; i++) {
      const step = space.path[i];
      if (!step.joined || recent(step) !== bold) continue;
      const ends = camera.segment(space.path[i - 1].point, step.point);
      if (!ends) continue;
      context.moveTo(ends[0][0], ends[0][1]);
      context.lineTo(ends[1][0], ends[1][1]);
    }
    context.stroke();
  }
  context.globalAlpha = 1;
}

/** Where feet stood in the last seconds, fading; where they stand now, ringed. */
function drawFootprints(context, camera, frame) {
  const remembered = 8 * clip.fps;
  for (const [column, first, last, x, y] of clip.footprints) {
    if (first > frame || last < frame - remembered) continue;
    const place = camera.project([x, y, 0]);
    if (!place) continue;
    const now = last >= frame;
    const colour = ink[clip.contact_points[column].split("_")[0]];
    const radius = Math.max(2, (0.035 * camera.focal) / place[2]);
    dot(context, place, radius, colour, now ? 0.95 : 0.45 * (1 - (frame - last) / remembered), now ? ink.ink : null);
  }
}

/** What the camera sees, and a line down to the floor; left out where its edges would run across the picture. */
function drawFrustum(context, camera, height) {
  if (!clip.camera) return;
  const { centre, corners } = clip.camera;
  const size = Math.min(0.9, 0.2 * Math.max(1, Math.hypot(...subtract(space.middle, centre))));
  const ends = corners.map((ray) => ray.map((value, axis) => centre[axis] + size * value));
  const above = ends[0].map((v, axis) => (v + ends[1][axis]) / 2 + 0.3 * (ends[0][axis] - ends[3][axis]));
  const lines = [...ends.map((end) => [centre, end]), ...ends.map((end, i) => [end, ends[(i + 1) % 4]]),
    [ends[0], above], [above, ends[1]], [centre, [centre[0], centre[1], 0]]];
  const flats = [centre, ...ends].map(camera.project);
  const extents = [0, 1].map((axis) => {
    const places = flats.map((flat) => flat?.[axis] ?? NaN);
    return Math.max(...places) - Math.min(...places);
  });
  if (!extents.every((extent) => extent < 0.6 * height)) return;
  lines.forEach((line, i) => {
    const flat = camera.segment(...line);
    if (flat) stroke(context, flat, ink.muted, 1.2, i === lines.length - 1 ? 0.4 : 1);
  });
}

function drawBody(context, camera, frame, world = clip.world) {
  const shadow = [], sticks = [];
  const top = clip.names.indexOf("head_top"), base = clip.names.indexOf("head");
  for (const [a, b, side] of clip.sticks) {
    const [from, to] = [point3(frame, a, world), point3(frame, b, world)];
    if (!known(from) || !known(to)) continue;
    shadow.push(camera.segment([from[0], from[1], 0], [to[0], to[1], 0]));
    const ends = b === top ? null : camera.segment(from, to);  // the head is a ball
    if (ends) sticks.push({ ends, side, depth: (ends[0][2] + ends[1][2]) / 2 });
  }
  for (const ends of shadow) {
    if (ends) stroke(context, ends, ink.ink, Math.max(2, (0.05 * camera.focal) / ends[0][2]), 0.1);
  }
  if (space.uncertain && world === clip.world) drawSpread(context, camera, frame);
  const head = top < 0 ? null : [point3(frame, base, world), point3(frame, top, world)];
  if (head && head.every(known)) {
    const centre = camera.project([0, 1, 2].map((axis) => (head[0][axis] + head[1][axis]) / 2));
    const radius = Math.hypot(...subtract(...head)) / 2;
    if (centre) sticks.push({ centre, radius: (radius * camera.focal) / centre[2], depth: centre[2] });
  }
  sticks.sort((a, b) => b.depth - a.depth);
  for (const { ends, side, depth, centre, radius } of sticks) {
    const width = Math.max(2, (0.038 * camera.focal) / depth);
    if (centre) {
      dot(context, centre, radius + 1.5, ink.panel);
      dot(context, centre, radius, ink.middle);
      continue;
    }
    if (width > 3) stroke(context, ends, ink.panel, width + 2.5);  // an outline tells crossing limbs apart
    stroke(context, ends, ink[side], width);
  }
}

function drawSpread(context, camera, frame) {
  clip.names.forEach((name, joint) => {
    const spread = clip.spread.at(frame, joint), point = point3(frame, joint);
    const place = known(point) && !Number.isNaN(spread) ? camera.project(point) : null;
    if (place) dot(context, place, Math.max(1, (spread * camera.focal) / place[2]), ink.gap, 0.22);
  });
}

function drawSpace(frame) {
  const { context, width, height } = clearedContext(space.canvas);
  if (space.follow) space.target = followed(frame);
  const camera = orbitCamera(width, height);
  drawFloor(context, camera);
  drawPath(context, camera, frame);
  drawFootprints(context, camera, frame);
  drawFrustum(context, camera, height);
  for (const world of [...clip.others, clip.world]) drawBody(context, camera, frame, world);
}

function turnByHand() {
  let from = null;
  space.canvas.addEventListener("pointerdown", (event) => {
    from = event;
    space.canvas.setPointerCapture(event.pointerId);
  });
  space.canvas.addEventListener("pointerup", () => (from = null));
  space.canvas.addEventListener("pointercancel", () => (from = null));
  space.canvas.addEventListener("pointermove", (event) => {
    if (!from) return;
    const [dx, dy] = [event.clientX - from.clientX, event.clientY - from.clientY];
    from = event;
    if (event.shiftKey || event.buttons & 2) {
      const { right, up, focal } = orbitCamera(space.canvas.clientWidth, space.canvas.clientHeight);
      const metres = space.distance / focal;
      setFollow(false);
      space.target = space.target.map((v, axis) => v - metres * (dx * right[axis] - dy * up[axis]));
    } else {
      space.azimuth -= dx * 0.008;
      space.elevation = Math.max(-0.2, Math.min(1.55, space.elevation + dy * 0.008));
    }
    invalidate();
  });
  space.canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  space.canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const steps = Math.max(-1, Math.min(1, event.deltaY / 100));
    space.distance = Math.max(0.6, Math.min(200, space.distance * Math.exp(0.15 * steps)));
    invalidate();
  }, { passive: false });
}
