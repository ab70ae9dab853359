const SPEEDS = [0.1, 0.25, 0.5, 1, 2];
const player = { frame: 0, seconds: 0, speed: 1, playing: false, before: 0, asked: false };

/** Draw once before the next repaint, however often it is asked for. */
function invalidate() {
  if (player.asked) return;
  player.asked = true;
  requestAnimationFrame(tick);
}

function tick(now) {
  player.asked = false;
  if (player.playing) {
    // a tab that was hidden does not leap ahead
    player.seconds += player.speed * Math.min(0.5, Math.max(0, (now - player.before) / 1000));
    player.before = now;
    player.frame = Math.min(clip.frames - 1, Math.floor(player.seconds * clip.fps + 1e-6));
    if (player.frame === clip.frames - 1) play(false);
    invalidate();
  }
  drawSpace(player.frame);
  drawImage(player.frame);
  if (moveRange(player.frame)) drawCharts();
  drawNow(player.frame);
}

function drawNow(frame) {
  const seconds = clockText(frame / clip.fps, 2);
  byId("frame").value = frame;
  byId("clock").textContent = `${seconds} of ${clockText((clip.frames - 1) / clip.fps, 2)}, frame ${frame}`;
  const inner = byId("charts").clientWidth;
  byId("playhead").style.transform = `translateX(${timeAt(inner, frame)}px)`;
  for (const { now, values, unit } of charts) {
    if (values) now.textContent = `${values(frame).map((value) => number(value)).join(" · ")} ${unit}`;
  }
}

function show(frame) {
  player.frame = Math.max(0, Math.min(clip.frames - 1, frame));
  player.seconds = player.frame / clip.fps;
  invalidate();
}

function play(on) {
  if (on && player.frame >= clip.frames - 1) show(0);
  player.playing = on;
  player.before = performance.now();
  byId("play").textContent = on ? "Pause" : "Play";
  byId("play").setAttribute("aria-pressed", String(on));
  invalidate();
}

function setSpeed(speed) {
  player.speed = speed;
  for (const button of byId("speeds").children) {
    button.setAttribute("aria-pressed", String(Number(button.value) === speed));
  }
}

function pressKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const second = Math.max(1, Math.round(clip.fps));
  const moves = {
    ArrowLeft: () => show(player.frame - (event.shiftKey ? second : 1)),
    ArrowRight: () => show(player.frame + (event.shiftKey ? second : 1)),
    Home: () => show(0),
    End: () => show(clip.frames - 1),
  };
  if (moves[event.key]) {
    play(false);
    moves[event.key]();
  } else if (event.key === " " && event.target.tagName !== "BUTTON") {
    play(!player.playing);
  } else {
    return;
  }
  event.preventDefault();
}

function connectControls() {
  byId("frame").max = clip.frames - 1;
  byId("frame").addEventListener("input", (event) => show(Number(event.target.value)));
  byId("play").addEventListener("click", () => play(!player.playing));
  for (const speed of SPEEDS) {
    const button = element(byId("speeds"), "button", `${speed}×`);
    button.type = "button";
    button.value = speed;
    button.addEventListener("click", () => setSpeed(speed));
  }
  setSpeed(1);
  for (const button of byId("presets").children) {
    button.addEventListener("click", () => lookFrom(button.dataset.view));
  }
  byId("follow").addEventListener("click", () => { setFollow(!space.follow); invalidate(); });
  for (const [id, view, option] of [["uncertain", space, "uncertain"], ["closer", image, "closer"]]) {
    byId(id).addEventListener("click", (event) => {
      view[option] = !view[option];
      event.currentTarget.setAttribute("aria-pressed", String(view[option]));
      invalidate();
    });
  }
  // after a click with the mouse, space means play again
  document.addEventListener("click", (event) => event.detail && event.target.blur?.());
  document.addEventListener("keydown", pressKey);
  turnByHand();
  seekOnCharts();
  byId("closer").setAttribute("aria-pressed", String(image.closer));
  const redraw = () => { readColours(); drawCharts(); invalidate(); };
  new ResizeObserver(redraw).observe(document.body);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

async function main() {
  writeHeader();
  hideAbsent();
  await unpackAll();
  byId("report").hidden = false;
  writeBars(byId("error-bars"), clip.error_by_joint ?? []);
  writeBars(byId("spread-bars"), clip.spread_by_joint);
  writeTables();
  readColours();
  measureScene();
  measureImage();
  setFollow(space.follow);
  lookFrom("person");
  makeSpans();
  moveRange(0, true);
  makeCharts();
  connectControls();
  document.documentElement.dataset.ready = "yes";
}

main().catch((error) => {
  const old = typeof DecompressionStream === "undefined";
  byId("broken").hidden = false;
  byId("broken").textContent = old
    ? "This browser is too old to open the page: wanted Chrome or Edge 80, Firefox 113, Safari 16.4 or later."
    : `The page could not be drawn: ${error.message}`;
  console.error(error);
});
