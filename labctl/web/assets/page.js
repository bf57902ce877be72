// The live page of a lab: what the server sends (labctl/web/feed.py) is drawn here. No library, no request elsewhere.
'use strict';

const SVG = 'http://www.w3.org/2000/svg';
const MINUTE = 60; // rates that are remembered, one a second
const MOST_ROWS = 6; // rows of rates; of more lines those that carry most
const MOST_LABELS = 12; // cables with rates in the picture; of more the table alone tells
const MOST_DOTS = 80;
const MOST_LINES = 100; // of what happened
const SLOW = 700; // ms that a dot takes for a line, beside the time that the packet took
const READABLE = 3000; // ms for which a ladder stands at least
const WINDOW = 2000; // ms over which the sample is told

const $ = (selector) => document.querySelector(selector);
const still = matchMedia('(prefers-reduced-motion: reduce)');

let known = {}; // the document
let paused = false;

function element(name, attributes = {}, ...children) {
  const made = name.startsWith('svg:') ? document.createElementNS(SVG, name.slice(4)) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function merged(before, change) { // RFC 7396
  const after = { ...before };
  for (const [key, value] of Object.entries(change)) {
    if (value === null) delete after[key];
    else if (typeof value === 'object' && !Array.isArray(value)) after[key] = merged(after[key] ?? {}, value);
    else after[key] = value;
  }
  return after;
}

function short(number) { // as labctl watch writes it
  for (const prefix of ['', 'k', 'M', 'G', 'T']) {
    if (number < 9.95 && prefix) return `${number.toFixed(1)}${prefix}`;
    if (number < 999.5) return `${Math.round(number)}${prefix}`;
    number /= 1000;
  }
  return '>999T';
}

const packets = ([number]) => `${short(number)} pkt/s`;
const bits = ([, number]) => `${short(number)}bit/s`.replace(/^([\d.]+)/, '$1 ');

// The picture

const picture = { lines: new Map(), layer: null, scale: 1 };

function draw(text) {
  const parsed = new DOMParser().parseFromString(text, 'image/svg+xml').documentElement;
  crop(parsed);
  const drawn = document.importNode(parsed, true);
  $('#picture').replaceChildren(drawn);
  dots.clear();
  picture.lines = new Map();
  for (const path of drawn.querySelectorAll('path[data-from]')) {
    picture.lines.set(path.id, { path, length: path.getTotalLength(), history: [], label: null });
  }
  const over = drawn.querySelector('path[data-from]')?.closest('svg > g') ?? drawn;
  picture.labels = over.appendChild(element('svg:g', { 'aria-hidden': 'true' }));
  picture.crosses = over.appendChild(element('svg:g', { 'aria-hidden': 'true' }));
  picture.layer = over.appendChild(element('svg:g', { 'aria-hidden': 'true' }));
  resized();
  label();
  mark({});
  rates();
}

function resized() { // dots can be seen in a large picture, too
  const drawn = $('#picture svg');
  if (!drawn) return;
  const { width, height } = drawn.viewBox.baseVal;
  const shrunk = Math.max(width / (drawn.clientWidth || width), height / (drawn.clientHeight || height));
  picture.scale = Math.min(5, Math.max(1, 0.9 * shrunk));
}

function crop(drawn) { // the page has its own heading
  const moved = drawn.querySelector(':scope > g[transform]');
  const top = Number(/translate\([^ ,]+[ ,]+([\d.]+)\)/.exec(moved?.getAttribute('transform'))?.[1] ?? 0);
  const [, , wide, high] = drawn.getAttribute('viewBox').split(/[ ,]+/).map(Number);
  drawn.setAttribute('viewBox', `14 ${top} ${wide - 28} ${high - top}`);
  drawn.removeAttribute('width');
  drawn.removeAttribute('height');
}

function label() {
  const cables = [...picture.lines].filter(([name]) => name.startsWith('link-'));
  if (cables.length > MOST_LABELS) return;
  for (const [, line] of cables) {
    const { x, y } = line.path.getPointAtLength(line.length / 2);
    const upper = element('svg:text', { class: 'flow', x, y: y - 13 });
    const lower = element('svg:text', { class: 'flow', x, y: y + 21 });
    picture.labels.append(upper, lower);
    line.label = [upper, lower];
  }
}

let marked = {};

function mark(before) {
  const looks = known.marks ?? {};
  for (const [name, look] of Object.entries(before)) toggle(name, look, false);
  for (const [name, look] of Object.entries(looks)) toggle(name, look, true);
  picture.crosses?.replaceChildren();
  for (const [name, look] of Object.entries(looks)) if (look === 'dead') cross(name);
  marked = looks;
}

function toggle(name, look, on) {
  const found = document.getElementById(name);
  found?.classList.toggle(look, on);
  if (!name.startsWith('tun-') || !found) return;
  for (const bore of document.querySelectorAll('.bore')) { // it has no name, but the same way
    if (bore.getAttribute('d') === found.getAttribute('d')) bore.classList.toggle(look, on);
  }
}

function cross(name) {
  const line = picture.lines.get(name);
  if (line && name.startsWith('link-')) {
    picture.crosses.append(crossAt(line.path.getPointAtLength(line.length / 2), ''));
  } else if (name.startsWith('engine-')) {
    const box = document.getElementById(name)?.getBBox();
    if (box) picture.crosses.append(crossAt({ x: box.x + box.width - 2, y: box.y + 1 }, ''));
  }
}

function crossAt({ x, y }, kind) {
  return element('svg:g', { class: `cross ${kind}`, transform: `translate(${x} ${y}) scale(${picture.scale})` },
    element('svg:circle', { r: 8 }), element('svg:path', { d: 'M-3.2,-3.2L3.2,3.2M3.2,-3.2L-3.2,3.2' }));
}

// Packets: a dot for each of the sample

const dots = {
  all: [],
  running: false,
  clear() {
    this.all.forEach((dot) => dot.group?.remove());
    this.all = [];
  },
  add(moves) {
    if (paused || still.matches || document.hidden || !picture.layer) return;
    const now = performance.now();
    const ends = [];
    moves.forEach((move, index) => {
      const begin = Math.max(now + move.at, ends[move.after] ?? 0);
      const legs = [];
      let at = begin;
      for (const leg of move.legs) {
        const line = picture.lines.get(leg.line);
        if (!line) continue;
        const part = leg.until === undefined ? 1 : reached(line, leg);
        legs.push({ ...leg, line, part, begin: at, end: at + (SLOW + Math.min(leg.ms, 4000)) * Math.max(part, 0.2) });
        at = legs.at(-1).end;
      }
      ends[index] = at;
      if (legs.length && this.all.length < MOST_DOTS) this.all.push({ ...move, legs, group: null });
    });
    if (!this.running) {
      this.running = true;
      requestAnimationFrame((time) => this.step(time));
    }
  },
  step(time) {
    this.all = this.all.filter((dot) => this.moved(dot, time));
    this.running = this.all.length > 0;
    if (this.running) requestAnimationFrame((next) => this.step(next));
  },
  moved(dot, time) {
    const leg = dot.legs.find((one) => time < one.end);
    if (!leg) {
      dot.group?.remove();
      const last = dot.legs.at(-1);
      if (dot.lost) burst(pointOn(last, last.part));
      return false;
    }
    if (time < leg.begin) return true;
    if (leg !== dot.on) {
      dot.group?.remove();
      dot.group = shape(dot.kind, leg);
      dot.on = leg;
      picture.layer.append(dot.group);
    }
    const { x, y } = pointOn(leg, leg.part * (time - leg.begin) / (leg.end - leg.begin));
    dot.group.setAttribute('transform', `translate(${x} ${y}) scale(${picture.scale})`);
    return true;
  },
};

function shape(kind, leg) { // inside of a tunnel a packet is in another one
  const dot = element('svg:circle', { class: `dot ${kind}`, r: leg.line.path.id.startsWith('tun-') ? 4 : 5 });
  if (!leg.line.path.id.startsWith('tun-')) return element('svg:g', {}, dot);
  return element('svg:g', {}, element('svg:rect', { class: 'envelope', x: -9, y: -7, width: 18, height: 14, rx: 3 }), dot);
}

function pointOn(leg, part) {
  return leg.line.path.getPointAtLength(leg.line.length * (leg.back ? 1 - part : part));
}

function reached(line, leg) { // how much of a line lies before the interface that saw a packet last
  const from = line.path.getAttribute(leg.back ? 'data-to' : 'data-from');
  if (line.path.id.startsWith('link-')) return 0.5;
  if (leg.until === from) return 0.02;
  const port = document.getElementById(`if-${leg.until}`)?.querySelector('.port');
  if (!port) return 0.98;
  const x = Number(port.getAttribute('cx')), y = Number(port.getAttribute('cy'));
  let best = 1, nearest = Infinity;
  for (let part = 0; part <= 1; part += 1 / 64) {
    const point = pointOn({ ...leg, line }, part);
    const distance = Math.hypot(point.x - x, point.y - y);
    if (distance < nearest) [best, nearest] = [part, distance];
  }
  return best;
}

function burst(point) {
  const lost = crossAt(point, 'lost');
  picture.layer.append(lost);
  setTimeout(() => lost.remove(), 1600);
}

// Rates

function rates() {
  const rows = [];
  for (const [name, line] of picture.lines) {
    const { there = [0, 0], back = [0, 0] } = known.rates?.[name] ?? {};
    if (line.label) {
      line.label[0].textContent = there[0] + back[0] ? packets([there[0] + back[0]]) : '';
      line.label[1].textContent = there[0] + back[0] ? bits([0, there[1] + back[1]]) : '';
    }
    rows.push({ name, line, there, back });
  }
  rows.sort((one, other) => other.name.startsWith('tun-') - one.name.startsWith('tun-'));
  const total = ({ there, back }) => there[0] + back[0];
  const shown = rows.length <= MOST_ROWS ? rows
    : rows.filter(total).sort((one, other) => total(other) - total(one)).slice(0, MOST_ROWS);
  const others = rows.length - shown.length;
  const told = others ? [element('tr', {}, element('td', { colspan: 6 }, `${others} other lines carry less`))] : [];
  $('#rates tbody').replaceChildren(...shown.map(row), ...told);
}

function row({ name, line, there, back }) {
  const { from, to } = line.path.dataset;
  const tunnel = name.startsWith('tun-');
  return element('tr', { class: known.marks?.[name] ?? '' },
    element('th', { scope: 'row' }, element('small', {}, tunnel ? 'tunnel' : 'cable'), ` ${from} ⇄ ${to || 'outside'}`),
    element('td', {}, packets(there)), element('td', {}, bits(there)),
    element('td', {}, packets(back)), element('td', {}, bits(back)),
    element('td', {}, spark(line.history)));
}

function spark(history) {
  const most = Math.max(1, ...history);
  const points = history.map((value, at) => `${at + MINUTE - history.length},${(22 - 20 * value / most).toFixed(1)}`);
  return element('svg:svg', { viewBox: `0 0 ${MINUTE} 24`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    element('svg:polyline', { points: points.join(' ') }));
}

setInterval(() => {
  for (const [name, line] of picture.lines) {
    const { there = [0, 0], back = [0, 0] } = known.rates?.[name] ?? {};
    line.history.push(there[0] + back[0]);
    if (line.history.length > MINUTE) line.history.shift();
  }
  rates();
  tellSample();
}, 1000);

// The sample

let samples = [];

function tellSample() {
  const now = performance.now();
  samples = samples.filter((sample) => now - sample.at < WINDOW);
  const seen = samples.reduce((sum, sample) => sum + sample.seen, 0);
  const crossed = samples.reduce((sum, sample) => sum + sample.crossed, 0);
  const words = seen === crossed ? `all ${crossed}` : `a sample, ${seen} of ${crossed.toLocaleString('en')}`;
  const shown = still.matches ? 'motion is off, as this device asks' : paused ? 'paused' : 'dots, slowed down';
  $('#sample').textContent = crossed ? `${shown}: ${words} packets at interfaces in ${WINDOW / 1000} s`
    : known.phase === 'up' ? `no packet in the last ${WINDOW / 1000} s` : '';
}

// What is said

function say(words) {
  $('#said').textContent = words;
}

function fill(name, items) {
  const list = $(`#${name} ul`);
  $(`#${name}`).hidden = !items.length;
  list.replaceChildren(...items);
}

function place(name) {
  const target = ['engine', 'if', 'ns'].map((kind) => `${kind}-${name}`).find((id) => document.getElementById(id));
  return target ? element('a', { class: 'place', href: `#${target}` }, name) : element('span', { class: 'place' }, name);
}

function show(before) {
  document.body.dataset.phase = known.phase;
  document.title = `${known.lab}: labctl watch`;
  $('#lab').textContent = known.lab;
  const up = known.phase === 'up';
  const wrong = known.dead.length || known.drift.length;
  const failed = Object.values(known.checks).filter((check) => check.verdict === 'failed').length;
  const words = { up: `up, ${known.mode}`, begun: 'is being made', down: 'down', mixed: 'not up on all hosts' };
  badge($('#state'), known.lost.length ? `${known.lost.map(([host]) => host).join(', ')} not reached` : words[known.phase],
    up ? 'good' : 'bad');
  badge($('#verdict'), known.dead.length ? `${known.dead.length} dead` : failed ? `${failed} failed`
    : known.challenge ? 'a challenge runs' : known.drift.length ? 'differs from its file' : 'as its file says',
    wrong || failed || known.challenge ? 'bad' : 'good');
  $('#verdict').hidden = !(up || known.phase === 'mixed') || !(known.compared || wrong || failed);
  banner();
  fill('lost', known.lost.map(([host, why]) => element('li', {}, element('span', { class: 'place' }, host), ` ${why}`)));
  fill('dead', known.dead.map(([where, words]) => element('li', {}, place(where), ` ${words}`)));
  fill('drift', known.drift.map(([subject, change, reason, command]) =>
    element('li', {}, place(subject), ` ${change}: ${reason}`, element('code', {}, command))));
  fill('drops', known.drops.map(([where, words]) => element('li', {}, place(where), ` ${words}`)));
  fill('checks', checks());
  const told = known.dead.map((one) => one.join(' ')), was = (before.dead ?? []).map((one) => one.join(' '));
  const news = told.filter((one) => !was.includes(one)), over = was.filter((one) => !told.includes(one));
  if (news.length) say(news.join('; '));
  else if (over.length && up) say(`no more: ${over.join('; ')}`);
}

function badge(made, words, look) {
  made.textContent = words;
  made.className = `badge ${look}`;
}

function checks() {
  const all = Object.entries(known.checks);
  const bad = all.filter(([, check]) => check.verdict && check.verdict !== 'passed');
  const rest = all.filter(([, check]) => check.verdict === 'passed');
  const shown = all.length <= 8 ? [...bad, ...rest] : bad;
  const items = shown.map(([name, check]) => element('li', { class: check.verdict },
    element('span', { class: 'mark', 'aria-label': check.verdict }, { passed: '✓', failed: '✕' }[check.verdict] ?? '?'),
    element('span', {}, name, ...(check.verdict === 'passed' ? []
      : [element('span', { class: 'why' }, check.why || check.observed)]))));
  const others = all.length - shown.length;
  const waiting = all.filter(([, check]) => !check.verdict).length;
  if (others) items.push(element('li', { class: 'others' }, `${rest.length} passed${waiting ? `, ${waiting} not asked yet` : ''}`));
  return items;
}

function banner() {
  const lost = document.body.dataset.connection === 'lost';
  const words = lost ? 'No connection to labctl watch: trying again' : known.phase === 'down'
    ? 'The lab is down, waiting for labctl up' : known.phase === 'begun' ? 'The lab is being made'
    : known.challenge ? 'A challenge runs: how the lab differs from its file, and why checks fail, is not told' : '';
  if ($('#banner').textContent !== words) $('#banner').textContent = words;
  $('#banner').hidden = !words;
}

const held = { ping: null, timer: null };

function ladder(ping) { // each stands for a while, so that it can be read
  held.ping = ping;
  if (held.timer === null) showLadder();
}

function showLadder() {
  held.timer = held.ping && setTimeout(showLadder, READABLE);
  if (!held.ping) return;
  const { title, rungs: way, answer, answered, took } = held.ping;
  held.ping = null;
  const parts = [element('p', { class: 'title' }, `1  ${title}`), rungs(way)];
  if (answered) parts.push(element('p', { class: 'title' }, `2  ${answer}, after ${took}`), rungs(answered));
  $('#ping div').replaceChildren(...parts);
}

function rungs(all) {
  return element('div', { class: 'ladder', role: 'list' }, ...all.map((rung) =>
    element('div', { class: rung.hop, role: 'listitem' },
      element('span', { class: 'at' }, rung.at ? `${rung.at} µs` : ''),
      element('span', { class: 'where' }, rung.place), element('span', { class: 'hop' }, rung.hop),
      ...(rung.words ? [element('span', { class: 'words' }, rung.words)] : []))));
}

function happened(lines) { // the newest stands first
  const list = $('#happened ol');
  for (const [at, kind, words] of lines) {
    list.prepend(element('li', { class: kind }, element('time', {}, at),
      element('span', {}, kind === 'lab' ? `${known.lab} ${words}` : words)));
  }
  while (list.children.length > MOST_LINES) list.lastChild.remove();
}

// The stream

function connect() {
  const stream = new EventSource('events');
  const on = (kind, take) => stream.addEventListener(kind, ({ data }) => take(JSON.parse(data)));
  on('picture', draw);
  on('whole', (whole) => {
    document.body.dataset.connection = 'open';
    $('#happened ol').replaceChildren();
    update(whole);
  });
  on('change', (change) => update(merged(known, change)));
  on('happened', happened);
  on('packets', ({ seen, crossed, moves }) => {
    samples.push({ at: performance.now(), seen, crossed });
    tellSample();
    dots.add(moves);
  });
  on('ping', ladder);
  on('lesson', (lesson) => document.dispatchEvent(new CustomEvent('lesson', { detail: lesson })));
  stream.addEventListener('error', () => {
    document.body.dataset.connection = 'lost';
    banner();
    if (stream.readyState === EventSource.CLOSED) setTimeout(connect, 1000); // Firefox gives up where none listens
  });
}

function update(document_) {
  const before = known;
  known = document_;
  mark(marked);
  show(before);
  rates();
}

function pause() {
  paused = !paused;
  $('#pause').setAttribute('aria-pressed', paused);
  if (paused) dots.clear();
  tellSample();
}

function alone() { // the picture takes the whole page
  $('#alone').setAttribute('aria-pressed', document.body.classList.toggle('alone'));
  resized();
}

const keys = { p: pause, f: alone };
$('#pause').addEventListener('click', pause);
$('#alone').addEventListener('click', alone);
document.addEventListener('keydown', (key) => {
  if (!key.ctrlKey && !key.metaKey && !key.altKey && key.target.tagName !== 'INPUT') keys[key.key]?.();
});
addEventListener('resize', resized);
connect();
