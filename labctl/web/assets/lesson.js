// A lesson beside the picture of its lab: what the server sends (labctl/web/lesson_session.py) is shown here, and what
// the student asks for is sent back. The server alone knows what is right, and what comes next.
'use strict';

let lesson = null;
document.body.classList.add('teaching');

function ask(what) {
  return fetch('do', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(what) });
}

function answer(text) {
  if (lesson?.question && text.trim()) ask({ do: 'answer', question: lesson.question.name, answer: text });
}

function put(selector, html) { // Markdown of the lesson's author, as the server has rendered it: no HTML of theirs
  const target = $(selector);
  if (target.dataset.html === html) return;
  target.dataset.html = html;
  target.innerHTML = html;
}

function teach(now) {
  const before = lesson;
  lesson = now;
  const another = before?.step !== now.step || before?.lesson !== now.lesson;
  $('#lesson-title').textContent = `${now.title}: step ${now.step + 1} of ${now.steps.length}`;
  bar(now);
  $('#notice').textContent = now.notice;
  $('#notice').hidden = !now.notice;
  $('#heading').textContent = now.heading;
  put('#text', now.text);
  question(before, now);
  goals(now);
  put('#hints', now.hints.map((hint) => `<div class="hint">${hint}</div>`).join(''));
  $('#solution pre').textContent = now.solution.join('\n');
  $('#solution').hidden = !now.solution.length;
  put('#afterwards', afterwards(now));
  $('#afterwards').hidden = !now.done;
  $('#next').hidden = !now.done;
  $('#hint').disabled = now.done || !now.hints_left;
  $('#skip').disabled = now.done;
  if (another) {
    unsure();
    $('#lesson').scrollTop = 0;
    say(now.heading);
  } else if (now.done && !before.done) {
    say('The step is done.');
    $('#next').focus({ preventScroll: true });
    $('#afterwards').scrollIntoView({ block: 'nearest' });
  }
}

function inline(text) { // one line, in which code stands between two backticks
  const pieces = text.split('`');
  return pieces.length % 2 ? pieces.map((piece, at) => (at % 2 ? element('code', {}, piece) : piece)) : [text];
}

function bar(now) {
  const over = now.steps.filter((step) => step === 'done' || step === 'skipped').length;
  $('#bar').setAttribute('aria-valuemax', now.steps.length);
  $('#bar').setAttribute('aria-valuenow', over);
  $('#bar').replaceChildren(...now.steps.map((step, at) => element('i', { class: `${step}${at === now.step ? ' here' : ''}` })));
}

function question(before, now) {
  const asked = now.question;
  $('#question').hidden = !asked;
  if (!asked) return;
  $('#wrong').replaceChildren(...inline(asked.wrong));
  if (before?.question?.name === asked.name && before.step === now.step) return;
  $('#asked').replaceChildren(...inline(asked.text));
  $('#typing').hidden = asked.choices.length > 0;
  $('#typed').value = '';
  $('#choices').replaceChildren(...asked.choices.map((choice, at) => {
    const made = element('button', { type: 'button', 'aria-keyshortcuts': at + 1 }, element('kbd', {}, at + 1), ' ', ...inline(choice));
    made.addEventListener('click', () => answer(choice));
    return made;
  }));
}

function goals(now) {
  const marks = { reached: '✓', failed: '✕', open: '○' };
  $('#goals').hidden = !now.goals.length;
  $('#goals ul').replaceChildren(...now.goals.map((goal) => element('li', { class: goal.state },
    element('span', { class: 'mark', 'aria-label': goal.state }, marks[goal.state]),
    element('span', {}, ...inline(goal.text), ...(goal.observed && goal.state !== 'reached'
      ? [element('span', { class: 'why' }, goal.observed)] : [])))));
}

function afterwards(now) {
  if (!now.done) return '';
  const right = element('p', { class: 'right' });
  if (now.predicted) {
    right.textContent = now.predicted === now.right ? `You expected: ${now.predicted}. So it is.`
      : `You expected: ${now.predicted}. What happens: ${now.right}.`;
  }
  return (now.predicted ? right.outerHTML : '') + now.afterwards;
}

document.addEventListener('lesson', ({ detail }) => teach(detail));
$('#question').addEventListener('submit', (event) => {
  event.preventDefault();
  answer($('#typed').value);
});

const asks = { n: 'next', h: 'hint', b: 'back', s: 'skip' };
const lost = { back: 'Really? What you have done in the lab is lost', skip: 'Really? Its solution is done for you, and shown' };
const said = {};
for (const name of Object.values(asks)) {
  const button = $(`#${name}`);
  said[name] = button.firstChild.textContent;
  button.addEventListener('click', () => {
    const again = button.classList.contains('sure');
    unsure();
    if (lost[name] && !again) {
      button.classList.add('sure');
      button.firstChild.textContent = `${lost[name]} `;
      say(lost[name]);
    } else {
      ask({ do: name });
    }
  });
}

function unsure() { // what is asked twice was not meant
  for (const name of Object.keys(lost)) {
    $(`#${name}`).classList.remove('sure');
    $(`#${name}`).firstChild.textContent = said[name];
  }
}

document.addEventListener('keydown', (key) => {
  if (key.ctrlKey || key.metaKey || key.altKey || key.target.tagName === 'INPUT') return;
  const button = asks[key.key] ? $(`#${asks[key.key]}`) : $('#choices').children[Number(key.key) - 1];
  if (!button?.classList.contains('sure')) unsure();
  if (button && !button.disabled && button.offsetParent) button.click();
});
