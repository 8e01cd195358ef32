// The review page of a description track. Everything that is shown comes from the JSON in the page and is put in as
// text, never as mark-up. Nothing is asked for from any address but the film beside the page.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const master = data.master;
  const video = byId("film");
  const list = byId("list");
  const PAUSE = data.practice.pause;
  const stopWords = new Set(data.stop_words);
  const storageKey = "distinctad-review-" + data.key;

  // ---- small things ------------------------------------------------------------------------------------------

  const element = (name, properties = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(properties)) {
      if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else if (key === "className") made.className = value;
      else if (value === true) made.setAttribute(key, "");
      else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, String(value));
    }
    made.append(...children);
    return made;
  };
  const button = (text, label, onclick, properties = {}) =>
    element("button", { type: "button", "aria-label": label, onclick, ...properties }, text);

  // Python rounds halves to even, and files are to be the same whoever writes them.
  const even = (number) => {
    const rounded = Math.round(number);
    return Math.abs(number - Math.trunc(number)) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
  };
  const digits = (number, count) => String(number).padStart(count, "0");
  const clock = (seconds) => {
    const all = even(seconds * 1000);
    const part = (size, of) => Math.floor(all / size) % of;
    return `${digits(Math.floor(all / 3600000), 2)}:${digits(part(60000, 60), 2)}:${digits(part(1000, 60), 2)}.` +
      digits(all % 1000, 3);
  };
  const short = (seconds) => clock(seconds).replace(/^00:/, "").slice(0, -2);
  const spoken = (seconds) => `${seconds.toFixed(1)} s`;
  const count = (number, one, many) => `${number} ${number === 1 ? one : many}`;

  // ---- the script and its changes ----------------------------------------------------------------------------

  const entries = master.entries.map((entry, index) => ({
    id: entry.id, index, start: entry.start, end: entry.end, text: entry.text, kind: entry.kind,
    status: entry.status, reason: entry.reason, made: entry,
  }));
  // The file has what is spoken, then what is left out; people count down the list, which is in order of time.
  [...entries].sort((a, b) => a.start - b.start || a.index - b.index).forEach((entry, place) => { entry.number = place + 1; });
  const first = entries.map((entry) => ({ ...entry }));
  const undone = [];
  const redone = [];
  const rows = new Map();
  let order = [];

  const changed = (entry) => {
    const before = first[entry.index];
    return ["start", "text", "kind", "status"].some((name) => entry[name] !== before[name]);
  };
  const measured = (entry) => Boolean(entry.made.voice && entry.made.voice.name) && entry.text === entry.made.text;
  const needed = (entry) => {
    const known = entry.made.speak_seconds;
    if (entry.text === entry.made.text && known !== null && known !== undefined) return known;
    return Math.max(entry.text.trim().length / data.practice.characters_per_second, data.practice.shortest);
  };
  const gapOf = (entry) => entry.made.gap || [first[entry.index].start, first[entry.index].end];
  const sorted = () => entries.filter((entry) => entry.kind !== "dropped").sort((a, b) => a.start - b.start || a.end - b.end);
  const fitOf = (entry) => {
    const [from, to] = gapOf(entry);
    const place = order.indexOf(entry);
    const next = order.slice(place + 1).find((other) => other.kind === "inline");
    const until = place >= 0 && next && next.start < to ? Math.min(to, next.start - PAUSE) : to;
    const length = needed(entry);
    return { from, to, length, spare: until - entry.start - length };
  };

  const apply = (index, values) => {
    Object.assign(entries[index], values);
    const entry = entries[index];
    entry.end = entry.start + needed(entry);
    if (entry.text === first[index].text && entry.start === first[index].start) entry.end = first[index].end;
  };
  const snapshot = ({ start, text, kind, status, reason }) => ({ start, text, kind, status, reason });
  const change = (entry, values, what, merge = "") => {
    const before = snapshot(entry);
    const now = entry.status === "approved" ? "approved" : "edited";
    apply(entry.index, { status: now, ...values });
    const last = undone[undone.length - 1];
    if (merge && last && last.merge === merge) last.after = snapshot(entry);
    else undone.push({ index: entry.index, before, after: snapshot(entry), what, merge });
    redone.length = 0;
    settle(entry, what, values.text !== undefined);
  };
  const travel = (from, to, side, word) => {
    const step = from.pop();
    if (!step) return;
    step.merge = "";
    to.push(step);
    const kind = entries[step.index].kind;
    apply(step.index, step[side]);
    settle(entries[step.index], `${word}: ${step.what}`, false, kind !== entries[step.index].kind);
    const row = rows.get(step.index);
    if (row) row.node.focus();
  };
  const undo = () => travel(undone, redone, "before", "Undone");
  const redo = () => travel(redone, undone, "after", "Done again");

  const settle = (entry, what, typing = false, moved = true) => {
    keep();
    if (moved && !typing) arrange();
    const place = order.indexOf(entry);
    for (const at of new Set([place - 1, place, place + 1])) if (order[at]) refresh(order[at], typing && order[at] === entry);
    if (place < 0) refresh(entry, typing);
    summarise();
    cues();
    if (!typing) say(`${what}. ${count(entries.filter(changed).length, "change", "changes")} in all, kept in this browser.`);
  };
  const say = (text) => { byId("status").textContent = text; };

  const keep = () => {
    const kept = entries.filter(changed).map((entry) => [entry.index, snapshot(entry)]);
    try {
      if (kept.length) localStorage.setItem(storageKey, JSON.stringify(kept));
      else localStorage.removeItem(storageKey);
    } catch { /* a browser may forbid it; downloads still work */ }
  };
  const remember = () => {
    try {
      for (const [index, values] of JSON.parse(localStorage.getItem(storageKey) || "[]")) {
        if (!entries[index] || typeof values.text !== "string" || !Number.isFinite(values.start)) continue;
        if (!["inline", "extended", "dropped"].includes(values.kind)) continue;
        apply(index, snapshot(values));
      }
      const found = entries.filter(changed).length;
      if (found) say(`${count(found, "change", "changes")} from your last visit.`);
    } catch { say("Changes from an earlier visit could not be read."); }
  };

  // ---- repeated words ----------------------------------------------------------------------------------------

  const WORD = /[\p{L}\p{N}]+(?:['’‐-][\p{L}\p{N}]+|(?<=\p{N})[.,](?=\p{N})[\p{L}\p{N}]+)*/gu;
  const plainWord = (word) => word.toLowerCase().replace("’", "'").replace(/'s$/, "");
  const contentWords = (text) => {
    const found = new Set();
    for (const [word] of text.matchAll(WORD)) if (!stopWords.has(plainWord(word))) found.add(plainWord(word));
    return found;
  };
  const marked = (entry) => {
    const place = order.indexOf(entry);
    const around = new Set();
    for (const at of [place - 1, place + 1]) {
      if (place >= 0 && order[at]) for (const word of contentWords(order[at].text)) around.add(word);
    }
    const pieces = [];
    let end = 0;
    for (const match of entry.text.matchAll(WORD)) {
      if (!around.has(plainWord(match[0]))) continue;
      pieces.push(entry.text.slice(end, match.index));
      pieces.push(element("mark", {}, match[0], element("span", { className: "unseen" }, " (repeated)")));
      end = match.index + match[0].length;
    }
    pieces.push(entry.text.slice(end));
    return pieces;
  };

  // ---- rows --------------------------------------------------------------------------------------------------

  const bar = (entry) => {
    const { from, to, length, spare } = fitOf(entry);
    const { lead_in: leadIn, lead_out: leadOut } = data.practice;
    const left = Math.min(from - leadIn, entry.start);
    const all = Math.max(to + leadOut, entry.start + length) - left || 1;
    const share = (seconds) => (100 * seconds) / all;
    const drawn = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    drawn.setAttribute("viewBox", "0 0 100 8");
    drawn.setAttribute("preserveAspectRatio", "none");
    drawn.setAttribute("aria-hidden", "true");
    const rectangle = (name, x, width) => {
      const part = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const tall = name === "speech" || name === "over";
      for (const [key, value] of Object.entries({ class: name, x, y: tall ? 0 : 2, width: Math.max(width, 0), height: tall ? 8 : 4 })) part.setAttribute(key, value);
      drawn.append(part);
    };
    rectangle("lead", share(from - leadIn - left), share(to + leadOut - from + leadIn));
    rectangle("gap", share(from - left), share(to - from));
    const over = Math.max(-spare, 0);
    rectangle("speech", share(entry.start - left), share(length - over));
    if (over > 0.005) rectangle("over", share(entry.start - left + length - over), share(over));
    const source = measured(entry) ? "measured" : "estimated";
    const told = over > 0.005 ? `too long by ${spoken(over)}` : `fits, ${spoken(Math.max(spare, 0))} to spare`;
    return [drawn, element("span", { className: over > 0.005 ? "told bad" : "told" }, `${spoken(length)} ${source}, ${told}`)];
  };

  const states = (entry) => {
    const found = [count(entry.text.length, "character", "characters")];
    if (entry.status === "approved") found.push("approved");
    if (changed(entry)) found.push("edited");
    if (entry.kind === "extended") found.push("extended: the film waits");
    if (entry.kind === "dropped") found.push(/^left /.test(entry.reason) ? entry.reason : `left out: ${entry.reason || "by hand"}`);
    if (entry.made.confidence !== null && entry.made.confidence !== undefined) {
      found.push(`confidence ${Math.round(entry.made.confidence * 100)} %`);
    }
    if (entry.made.characters && entry.made.characters.length) found.push(`with ${entry.made.characters.join(", ")}`);
    return found;
  };

  const nearby = (entry) => {
    const lines = data.dialogue;
    const [from, to] = gapOf(entry);
    const before = lines.filter((line) => line.end <= from + 0.5).slice(-2);
    const after = lines.filter((line) => line.start >= to - 0.5).slice(0, 2);
    const shown = (line) => element("p", { dir: "auto" }, element("span", { className: "time" }, short(line.start) + " "), line.text);
    return [...before.map(shown), element("p", { className: "here" }, "(description)"), ...after.map(shown)];
  };
  const lazily = (summary, fill) => {
    const details = element("details", {}, element("summary", {}, summary));
    details.addEventListener("toggle", () => { if (details.open && details.children.length === 1) details.append(...fill()); });
    return details;
  };
  const others = (entry) => entry.made.alternatives.map((other) => {
    const facts = [other.distinctiveness === null || other.distinctiveness === undefined ? "" : `${Math.round(other.distinctiveness * 100)} % new words`, other.reason].filter(Boolean);
    return element("p", { dir: "auto" }, other.text, " ", element("span", { className: "soft" }, facts.join("; ")), " ",
      button("Use", `Use this text: ${other.text}`, () => change(entry, { text: other.text }, `Another text for ${name(entry)}`)));
  });
  const name = (entry) => `description ${entry.number}`;

  const build = (entry) => {
    const node = element("li", { className: "entry", id: `entry-${entry.index}`, tabindex: "-1" });
    const row = { node, entry, built: false };
    rows.set(entry.index, row);
    node.append(element("h3", {}), element("p", { className: "text", dir: "auto" }), element("div", { className: "fit" }), element("p", { className: "states" }));
    const frames = data.frames[entry.id] || [];
    const strip = element("div", { className: "frames" });
    row.frames = frames;
    row.strip = strip;
    if (frames.length) node.append(strip);
    const checks = element("ul", { className: "checks" }, ...entry.made.checks.map((check) => element("li", {}, check.sentence || check.name)));
    if (entry.made.checks.length) node.append(checks);
    if (entry.made.notes.length) node.append(element("p", { className: "soft" }, entry.made.notes.join("; ")));
    row.tools = element("div", { className: "tools" });
    node.append(row.tools);
    if (entry.made.alternatives.length) node.append(lazily(count(entry.made.alternatives.length, "other text", "other texts"), () => others(entry)));
    if (data.dialogue.length) node.append(lazily("Dialogue around it", () => nearby(entry)));
    const language = entry.made.language;
    if (language) node.querySelector(".text").setAttribute("lang", language);
    fill(row);
    refresh(entry);
    return node;
  };
  const fill = (row) => {
    const { entry } = row;
    const label = name(entry);
    const by = (seconds) => () => change(entry, { start: Math.max(0, Math.round((entry.start + seconds) * 1000) / 1000) }, `${label} moved`, `move ${entry.index}`);
    const made = entry.kind === "dropped"
      ? [button("Restore", `Restore ${label}`, () => { change(entry, { kind: first[entry.index].kind === "dropped" ? "inline" : first[entry.index].kind, reason: "" }, `${label} restored`); focusRow(entry); })]
      : [
        video ? button("Play", `Play from ${label}`, () => playFrom(entry)) : "",
        button("Edit", `Edit ${label}`, () => edit(entry)),
        button("−0.1 s", `Move ${label} 0.1 seconds earlier`, by(-0.1)),
        button("+0.1 s", `Move ${label} 0.1 seconds later`, by(0.1)),
        button("Approve", `Approve ${label}`, () => change(entry, { status: "approved" }, `${label} approved`)),
        button("Drop", `Drop ${label}`, () => { change(entry, { kind: "dropped", reason: "dropped in review" }, `${label} dropped`); focusRow(entry); }),
      ];
    row.kind = entry.kind;
    row.tools.replaceChildren(...made);
  };
  const refresh = (entry, typing = false) => {
    const row = rows.get(entry.index);
    if (!row) return;
    if (row.kind !== entry.kind) fill(row);
    const { node } = row;
    node.querySelector("h3").replaceChildren(`${entry.number}. `, element("span", { className: "time" }, `${clock(entry.start)} – ${clock(entry.end)}`));
    if (!row.editor) node.querySelector(".text").replaceChildren(...marked(entry));
    node.querySelector(".fit").replaceChildren(...bar(entry));
    node.querySelector(".states").textContent = states(entry).join(" · ");
    node.classList.toggle("dropped", entry.kind === "dropped");
    if (row.editor) {
      if (!typing) row.editor.value = entry.text;
      row.count.textContent = `${entry.text.length} characters`;
    }
  };
  const edit = (entry) => {
    const row = rows.get(entry.index);
    if (row.editor) { row.editor.focus(); return; }
    const id = `text-${entry.index}`;
    row.count = element("span", { id: `${id}-count`, className: "soft" });
    row.editor = element("textarea", { id, rows: 3, dir: "auto", "aria-describedby": `${id}-count` });
    row.editor.value = entry.text;
    const stamp = `text ${entry.index} ${undone.length}`;
    const shut = () => {
      row.editor = null;
      form.remove();
      node.querySelector(".text").hidden = false;
      refresh(entry);
      const neighbours = order.indexOf(entry);
      for (const other of [order[neighbours - 1], order[neighbours + 1]]) if (other) refresh(other);
      if (changed(entry)) say(`${name(entry)} edited. Kept in this browser.`);
      node.querySelector(".tools button:nth-of-type(2)")?.focus();
    };
    row.editor.addEventListener("input", () => change(entry, { text: row.editor.value.replace(/\s*\n\s*/g, " ") }, `${name(entry)} edited`, stamp));
    row.editor.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.stopPropagation(); shut(); } });
    const { node } = row;
    const form = element("div", { className: "editor" }, element("label", { for: id }, `Text of ${name(entry)}`), row.editor, row.count, button("Done", `Done with ${name(entry)}`, shut));
    node.querySelector(".text").hidden = true;
    node.querySelector(".text").after(form);
    refresh(entry);
    row.editor.focus();
  };

  const arrange = () => {
    order = sorted();
    const shown = [...order, ...entries.filter((entry) => entry.kind === "dropped")].sort((a, b) => a.start - b.start || a.index - b.index);
    let before = null;
    for (const entry of shown) {
      const row = rows.get(entry.index);
      const node = row ? row.node : build(entry);
      const follows = before ? before.nextSibling : list.firstChild;
      if (follows !== node) list.insertBefore(node, follows);
      before = node;
    }
    choose();
  };
  const choose = () => {
    const wanted = byId("show").value;
    const tests = {
      all: () => true,
      flagged: (entry) => entry.made.checks.length > 0 || (entry.kind !== "dropped" && fitOf(entry).spare < -0.005),
      long: (entry) => entry.kind !== "dropped" && fitOf(entry).spare < -0.005,
      edited: changed,
      dropped: (entry) => entry.kind === "dropped",
    };
    let shown = 0;
    for (const { node, entry } of rows.values()) {
      node.hidden = !tests[wanted](entry);
      shown += node.hidden ? 0 : 1;
    }
    byId("shown").textContent = `${shown} of ${entries.length} shown`;
  };
  const pictures = new IntersectionObserver((seen) => {
    for (const { isIntersecting, target } of seen) {
      const row = rows.get(Number(target.id.slice(6)));
      if (!isIntersecting || row.built) continue;
      row.built = true;
      pictures.unobserve(target);
      row.strip.append(...row.frames.map((frame) => element("img", {
        src: `data:image/jpeg;base64,${frame.jpeg}`, width: frame.width, height: frame.height, alt: `Picture at ${short(frame.time)}`,
      })));
    }
  }, { rootMargin: "800px" });

  // ---- summary -----------------------------------------------------------------------------------------------

  const summarise = () => {
    const inline = order.filter((entry) => entry.kind === "inline");
    let overlaps = 0, longest = 0, told = 0, before = 0;
    const paces = [0, 0, 0, 0, 0];
    inline.forEach((entry, place) => {
      const length = needed(entry);
      told += length;
      overlaps += place > 0 && entry.start < inline[place - 1].start + needed(inline[place - 1]) - 0.0005 ? 1 : 0;
      longest = Math.max(longest, entry.start - before);
      before = entry.start + length;
      const pace = (entry.text.length / length) * 10;
      paces[Math.min(Math.max(Math.floor((pace - 120) / 20) + 1, 0), 4)] += 1;
    });
    longest = Math.max(longest, (data.duration || before) - before);
    const late = inline.filter((entry) => fitOf(entry).spare < -0.005).length;
    const facts = [
      ["Descriptions", `${inline.length} spoken, ${order.length - inline.length} extended, ${entries.length - order.length} left out`],
      ["Spoken", data.duration ? `${spoken(told)}, ${((100 * told) / data.duration).toFixed(1)} % of ${short(data.duration)}` : spoken(told)],
      ["Too long for their pause", String(late)],
      ["Overlaps between descriptions", String(overlaps)],
      ["Longest stretch without description", spoken(longest)],
      ["Words a minute, by characters", ["under 120", "120–140", "140–160", "160–180", "over 180"].map((range, at) => `${range}: ${paces[at]}`).join("; ")],
      ["Changed here", String(entries.filter(changed).length)],
    ];
    byId("facts").replaceChildren(...facts.map(([what, value]) => element("div", {}, element("dt", {}, what), element("dd", {}, value))));
    byId("undo").disabled = undone.length === 0;
    byId("redo").disabled = redone.length === 0;
    const flagged = order.filter((entry) => entry.made.checks.length);
    byId("flagged").replaceChildren(...flagged.slice(0, 200).map((entry) => element("li", {},
      element("a", { href: `#entry-${entry.index}`, onclick: () => { byId("show").value = "all"; choose(); } }, `${entry.number}, ${short(entry.start)}`),
      `: ${entry.made.checks.map((check) => check.name.replaceAll("_", " ")).join(", ")}`)));
    byId("flagged-none").hidden = flagged.length > 0;
  };

  // ---- files -------------------------------------------------------------------------------------------------

  const BLANKS = /[\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/g;
  const plain = (text, forbidden) => [...text].filter((character) => !forbidden.includes(character)).join("")
    .replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/g, " ").replace(/[\ud800-\udfff](?<![\ud800-\udbff][\udc00-\udfff])(?![\udc00-\udfff])/g, "\ufffd")
    .replace(BLANKS, " ").replace(/^ | $/g, "");
  const strict = (forbidden) => {
    let ready = 0;
    return order.filter((entry) => entry.kind === "inline").map((entry) => {
      const text = plain(entry.text, forbidden);
      if (!text) throw new Error(`${name(entry)} has no text; write one or drop it`);
      if (even(entry.start * 1000) < ready) throw new Error(`${name(entry)} begins before the one above it ends; move or shorten one`);
      ready = even(entry.end * 1000);
      return [clock(entry.start), clock(entry.end), text];
    });
  };
  const files = {
    vtt: () => data.vtt_head + strict("<>").map(([start, end, text], at) => `${at + 1}\n${start} --> ${end}\n${text.replaceAll("&", "&amp;")}\n\n`).join(""),
    srt: () => strict("<>{}").map(([start, end, text], at) => `${at + 1}\n${start.replace(".", ",")} --> ${end.replace(".", ",")}\n${text}\n`).join("\n"),
    json: () => {
      const out = { ...master, entries: entries.map((entry) => {
        if (!changed(entry)) return entry.made;
        const same = entry.text === entry.made.text;
        const written = { ...entry.made, start: entry.start, end: entry.end, text: entry.text, kind: entry.kind, status: entry.status, reason: entry.kind === "dropped" ? entry.reason || "dropped in review" : "", edited_by: "review page" };
        if (!same) Object.assign(written, { speak_seconds: null, voice: null });
        return written;
      }) };
      return JSON.stringify(out, null, 1) + "\n";
    },
  };
  const download = (kind) => {
    try {
      const url = URL.createObjectURL(new Blob([files[kind]()], { type: { vtt: "text/vtt", srt: "application/x-subrip", json: "application/json" }[kind] }));
      const link = element("a", { href: url, download: `${data.stem}.${kind === "json" ? "edited.json" : kind}` });
      document.body.append(link);
      link.click();
      link.remove();
      setTimeout(() => URL.revokeObjectURL(url), 10000);
      say(`${kind.toUpperCase()} handed to the browser.`);
    } catch (problem) { say(`No file written: ${problem.message}.`); }
  };

  // ---- playing -----------------------------------------------------------------------------------------------

  let active = null, waiting = false, track = null, reached = 0, timer = 0;
  const speech = "speechSynthesis" in window ? window.speechSynthesis : null;
  const on = (id) => { const box = byId(id); return Boolean(box) && box.checked; };
  const ownVoice = () => [...(video.audioTracks || [])].some((one) => one.enabled && /descri/.test(one.kind));
  const cues = () => {
    if (!track) return;
    for (const cue of [...(track.cues || [])]) track.removeCue(cue);
    for (const entry of order.filter((one) => one.kind === "inline" && one.end > one.start)) {
      const cue = new VTTCue(entry.start, entry.end, entry.text);
      cue.id = entry.id;
      track.addCue(cue);
    }
  };
  const quiet = () => {
    if (speech) speech.cancel();
    clearTimeout(timer);
    waiting = false;
    if (video) video.volume = 1;
    active = null;
    if (byId("said")) byId("said").textContent = "";
  };
  const begin = (entry) => {
    active = entry;
    byId("said").textContent = entry.text;
    current(entry);
    if (!on("ad")) return false;
    if (on("duck")) video.volume = 10 ** (-Number(byId("depth").value) / 20);
    const aloud = on("speak") && speech && !ownVoice();
    if (aloud) {
      const words = new SpeechSynthesisUtterance(entry.text);
      const chosen = speech.getVoices()[Number(byId("voices").value)];
      if (chosen) words.voice = chosen;
      words.lang = entry.made.language || master.language;
      words.rate = Number(byId("rate").value);
      words.onend = () => { if (waiting) { waiting = false; video.play(); } if (active === entry) finish(); };
      speech.cancel();
      speech.speak(words);
    }
    return aloud;
  };
  const finish = () => { active = null; video.volume = 1; byId("said").textContent = ""; };
  // An extended description: the film waits until it is spoken, or as long as that would take.
  const hold = (entry) => {
    waiting = true;
    video.pause();
    if (begin(entry)) return;
    timer = setTimeout(() => { if (waiting && active === entry) { waiting = false; finish(); video.play(); } }, needed(entry) * 1000);
  };
  const follow = () => {
    const now = video.currentTime, since = reached;
    reached = now;
    const extended = order.find((one) => one.kind === "extended" && since < one.start && one.start <= now);
    if (extended && on("ad") && !video.paused) { hold(extended); return; }
    const entry = order.find((one) => one.kind === "inline" && one.start <= now && now < one.end) || null;
    if (entry && entry !== active && !video.paused) begin(entry);
    else if (!entry && active) {
      if (on("ad") && on("speak") && speech && speech.speaking) {
        const [, to] = gapOf(active);
        if (now >= to && !video.paused) { waiting = true; video.pause(); }
      } else finish();
    }
    if (!video.paused) requestAnimationFrame(follow);
  };
  const current = (entry) => {
    for (const { node } of rows.values()) if (node.hasAttribute("aria-current")) node.removeAttribute("aria-current");
    const row = rows.get(entry.index);
    row.node.setAttribute("aria-current", "true");
    if (!list.contains(document.activeElement) && on("scroll")) row.node.scrollIntoView({ block: "center", behavior: "auto" });
  };
  const focusRow = (entry) => { current(entry); rows.get(entry.index).node.focus(); };
  const playFrom = (entry) => { video.currentTime = Math.max(entry.start - 1, 0); video.play(); };
  const beside = (step) => {
    const now = video ? video.currentTime : 0;
    const marked = order.findIndex((entry) => rows.get(entry.index).node.getAttribute("aria-current") === "true");
    const at = marked >= 0 ? marked + step : order.findIndex((entry) => entry.start > now);
    const entry = order[Math.min(Math.max(at, 0), order.length - 1)];
    if (!entry) return;
    if (video) video.currentTime = entry.start;
    focusRow(entry);
  };
  const captions = () => {
    const lines = video.addTextTrack("captions", "Captions", master.language);
    for (const line of data.dialogue) if (line.end > line.start) lines.addCue(new VTTCue(line.start, line.end, line.text));
    lines.mode = "disabled";
    byId("captions").addEventListener("change", () => { lines.mode = on("captions") ? "showing" : "disabled"; });
  };
  const player = () => {
    track = video.addTextTrack("descriptions", "Audio description", master.language);
    track.mode = "hidden";
    cues();
    if (data.dialogue.length) captions();
    video.addEventListener("play", () => { waiting = false; requestAnimationFrame(follow); });
    video.addEventListener("pause", () => { if (!waiting) quiet(); });
    video.addEventListener("seeking", () => { reached = video.currentTime; quiet(); });
    video.addEventListener("error", () => { byId("no-film").hidden = false; }, true);
    if (video.error) byId("no-film").hidden = false;
    const voices = () => {
      const all = speech ? speech.getVoices() : [];
      byId("voices").replaceChildren(...all.map((one, at) => element("option", { value: at }, `${one.name} (${one.lang})`)));
      byId("voice-line").hidden = all.length === 0;
    };
    voices();
    if (speech) speech.addEventListener("voiceschanged", voices);
    for (const [id, told] of [["depth", (value) => `${value} dB`], ["rate", (value) => `${Number(value).toFixed(2)} times`]]) {
      const tell = () => { byId(`${id}-told`).textContent = told(byId(id).value); };
      byId(id).addEventListener("input", tell);
      tell();
    }
    for (const id of ["speak", "voices", "rate"]) byId(id).disabled = !speech;
    byId("aloud").addEventListener("change", () => { byId("said").setAttribute("aria-live", on("aloud") ? "polite" : "off"); });
    byId("player").addEventListener("keydown", (event) => {
      const typing = /^(INPUT|SELECT|TEXTAREA|BUTTON|SUMMARY)$/.test(event.target.tagName);
      if (!on("keys") || event.ctrlKey || event.altKey || event.metaKey) return;
      const key = event.key.toLowerCase();
      if (key === " " && !typing && event.target !== video) { event.preventDefault(); if (video.paused) video.play(); else video.pause(); }
      else if (key === "j" || key === "k") { event.preventDefault(); beside(key === "j" ? -1 : 1); }
      else if (key === "e") {
        const row = [...rows.values()].find(({ node }) => node.getAttribute("aria-current") === "true");
        if (row) { event.preventDefault(); edit(row.entry); }
      }
    });
  };
  list.addEventListener("keydown", (event) => {
    if (!on("keys") || event.ctrlKey || event.altKey || event.metaKey || !event.target.classList.contains("entry")) return;
    const entry = entries[Number(event.target.id.slice(6))];
    const key = event.key.toLowerCase();
    if (key === "j" || key === "k") { event.preventDefault(); current(entry); beside(key === "j" ? -1 : 1); }
    else if (key === "e" && entry.kind !== "dropped") { event.preventDefault(); edit(entry); }
    else if (key === "escape" && byId("player")) byId("player").focus();
  });

  remember();
  arrange();
  for (const { node, frames } of rows.values()) if (frames.length) pictures.observe(node);
  if (video) player();
  summarise();
  byId("undo").addEventListener("click", undo);
  byId("redo").addEventListener("click", redo);
  byId("show").addEventListener("change", choose);
  for (const kind of Object.keys(files)) byId(`get-${kind}`).addEventListener("click", () => download(kind));
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    if (event.key.toLowerCase() === "z") { event.preventDefault(); if (event.shiftKey) redo(); else undo(); }
  });
})();
