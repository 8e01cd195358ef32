// Drives Chromium for tests/browser. Run:  node drive.mjs SCENARIO '{"url": ..., ...}'   Prints what it saw as JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const require = createRequire(import.meta.url);
const [scenario, given] = process.argv.slice(2);
const options = JSON.parse(given);
const seen = { console: [], requests: [], dialogs: 0 };

const browser = await chromium.launch({
  executablePath: options.chromium,
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required", "--mute-audio"],
});
const context = await browser.newContext({ acceptDownloads: true, viewport: options.viewport || { width: 1280, height: 900 } });
const page = await context.newPage();
page.setDefaultTimeout(60000);
page.on("console", (message) => { if (["error", "warning"].includes(message.type())) seen.console.push(message.text()); });
page.on("pageerror", (error) => seen.console.push(String(error)));
page.on("dialog", (dialog) => { seen.dialogs += 1; dialog.dismiss(); });
page.on("request", (request) => { if (!/^(data|blob):/.test(request.url())) seen.requests.push(request.url()); });

const RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"];
const axe = async () => {
  // The page's policy lets no script in; the checker is brought in past it, as a browser's extension would be.
  const session = await context.newCDPSession(page);
  const { frameTree } = await session.send("Page.getFrameTree");
  const { executionContextId } = await session.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id });
  const run = async (expression) => (await session.send("Runtime.evaluate", { expression, contextId: executionContextId, awaitPromise: true, returnByValue: true })).result.value;
  await run(readFileSync(require.resolve("axe-core/axe.min.js"), "utf8"));
  return JSON.parse(await run(`axe.run(document, { runOnly: ${JSON.stringify(RULES)}, resultTypes: ["violations"] })
    .then((found) => JSON.stringify(found.violations.map((one) => [one.id, one.nodes.map((node) => node.html.slice(0, 200))])))`));
};
const taken = async (click) => {
  const [download] = await Promise.all([page.waitForEvent("download"), click()]);
  return { name: download.suggestedFilename(), text: readFileSync(await download.path(), "utf8") };
};
const status = () => page.textContent("#status");
const fit = (number) => page.textContent(`#entry-${number} .told`);

const scenarios = {
  async review() {
    await page.goto(options.url);
    await page.waitForSelector(".entry");
    const out = { title: await page.title(), entries: await page.locator(".entry").count() };
    out.marks = await page.locator("#entry-1 mark").allInnerTexts();
    out.pictures = await page.locator("#entry-0 img").evaluateAll((all) => all.map((one) => one.alt));
    out.texts = await page.locator(".entry .text").evaluateAll((all) => all.map((one) => one.cloneNode(true)).map((one) => { one.querySelectorAll(".unseen").forEach((hidden) => hidden.remove()); return one.textContent; }));
    out.axe = await axe();
    out.unchanged = { vtt: await taken(() => page.click("#get-vtt")), srt: await taken(() => page.click("#get-srt")), json: await taken(() => page.click("#get-json")) };
    out.fit = [await fit(0)];
    await page.click("#entry-0 .tools button:text('Edit')");
    out.focused = await page.evaluate(() => document.activeElement.id);
    const long = "A much longer text ".repeat(12).trim();
    await page.fill("#text-0", long);
    out.fit.push(await fit(0));
    out.axe_editing = await axe();
    await page.keyboard.press("Escape");
    out.shut = [await page.locator("textarea").count(), await page.innerText("#entry-0 .text")];
    await page.click("#undo");
    out.fit.push(await fit(0));
    await page.click("#redo");
    out.fit.push(await fit(0));
    await page.click("#undo");
    await page.click("#entry-0 .tools button:text('Edit')");
    await page.fill("#text-0", "He <b>runs</b> & hides.");
    await page.keyboard.press("Escape");
    await page.click("#entry-1 .tools button:text('+0.1 s')");
    await page.click("#entry-1 .tools button:text('+0.1 s')");
    await page.click("#entry-2 .tools button:text('Drop')");
    out.dropped = [await page.locator("#entry-2.dropped").count(), await status()];
    out.edited = { json: await taken(() => page.click("#get-json")), vtt: await taken(() => page.click("#get-vtt")), srt: await taken(() => page.click("#get-srt")) };
    await page.reload();
    await page.waitForSelector(".entry");
    out.kept = [await page.innerText("#entry-0 .text"), await page.locator("#entry-2.dropped").count(), await status()];
    await page.selectOption("#show", "dropped");
    out.shown = await page.locator(".entry:visible").count();
    await page.click("#entry-2 .tools button:text('Restore')");
    await page.selectOption("#show", "all");
    out.restored = await page.locator(".entry.dropped").count();
    await page.emulateMedia({ media: "print" });
    out.print = await page.evaluate(() => ({ player: getComputedStyle(document.querySelector("#player") || document.body).display, tools: getComputedStyle(document.querySelector(".tools")).display, text: getComputedStyle(document.querySelector(".text")).display }));
    await page.emulateMedia({ media: "screen", colorScheme: "dark" });
    out.axe_dark = await axe();
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize({ width: 320, height: 640 });
    out.narrow = await page.evaluate(() => document.documentElement.scrollWidth);
    return out;
  },

  async keys() {
    await page.goto(options.url);
    await page.waitForSelector(".entry");
    const now = () => page.evaluate(() => [document.activeElement.id, document.activeElement.getAttribute("aria-current")]);
    const out = { walk: [] };
    await page.focus("#player");
    for (const key of ["k", "k", "j", "e"]) { await page.keyboard.press(key); out.walk.push(await now()); }
    await page.keyboard.press("Escape");
    await page.uncheck("#keys");
    await page.focus("#entry-0");
    await page.keyboard.press("k");
    out.off = await now();
    await page.reload();
    await page.waitForSelector(".entry");
    await page.keyboard.press("Tab");
    out.skip = await page.evaluate(() => document.activeElement.className);
    return out;
  },

  async play() {
    await page.goto(options.url);
    await page.waitForSelector(".entry");
    await page.waitForFunction(() => document.getElementById("film").readyState >= 2);
    return page.evaluate((seconds) => new Promise((resolve) => {
      const film = document.getElementById("film"), said = document.getElementById("said");
      const heard = [];
      let last = "", before = 0;
      const look = () => {
        if (said.textContent !== last) { last = said.textContent; heard.push({ before, time: film.currentTime, text: last, volume: film.volume, live: said.getAttribute("aria-live") }); }
        before = film.currentTime;
        if (film.ended || film.currentTime >= seconds) resolve(heard);
        else requestAnimationFrame(look);
      };
      film.muted = true;
      film.playbackRate = 0.5;
      film.play().then(look);
    }), options.seconds);
  },

  async native() {
    await page.goto(options.url);
    return page.evaluate((seconds) => new Promise((resolve) => {
      const film = document.querySelector("video"), track = film.textTracks[0], heard = [];
      track.mode = "hidden";
      const played = () => {
        let last = "", before = 0;
        const look = () => {
          const text = [...track.activeCues].map((cue) => cue.getCueAsHTML().textContent).join("|");
          if (text !== last) { last = text; heard.push({ before, time: film.currentTime, text }); }
          before = film.currentTime;
          if (film.ended || film.currentTime >= seconds) resolve({ heard, cues: [...track.cues].map((cue) => [cue.startTime, cue.endTime, cue.getCueAsHTML().textContent]) });
          else requestAnimationFrame(look);
        };
        film.muted = true;
        film.playbackRate = 0.5;
        film.play().then(look);
      };
      const wait = () => { if (track.cues && track.cues.length && film.readyState >= 2) played(); else setTimeout(wait, 20); };
      wait();
    }), options.seconds);
  },

  async videojs() {
    await page.goto(options.url);
    await page.addScriptTag({ path: require.resolve("video.js/dist/video.min.js") });
    return page.evaluate((seconds) => new Promise((resolve) => {
      const player = window.videojs("film", { html5: { nativeTextTracks: false } }), heard = [];
      player.ready(() => {
        const track = player.textTracks()[0];
        track.mode = "showing";
        const shown = player.el().querySelector(".vjs-text-track-display");
        let last = "", before = 0;
        const look = () => {
          const text = shown.textContent.trim();
          if (text !== last) { last = text; heard.push({ before, time: player.currentTime(), text }); }
          before = player.currentTime();
          if (player.ended() || player.currentTime() >= seconds) resolve(heard); else requestAnimationFrame(look);
        };
        const wait = () => { if (track.cues && track.cues.length && player.readyState() >= 2) { player.muted(true); player.playbackRate(0.5); player.play().then(look); } else setTimeout(wait, 20); };
        wait();
      });
    }), options.seconds);
  },

  // What Chromium reads of each of many VTT files: cues as [start, end, text shown, id], or null if it refuses the file.
  async cues() {
    await page.goto(options.url);
    return page.evaluate(async (files) => {
      const video = document.querySelector("video"), found = {};
      for (const name of files) {
        const element = document.createElement("track");
        const done = new Promise((resolve) => { element.onload = () => resolve(true); element.onerror = () => resolve(false); });
        element.kind = "descriptions";
        element.src = name;
        video.append(element);
        element.track.mode = "hidden";
        found[name] = await done ? [...element.track.cues].map((cue) => [cue.startTime, cue.endTime, cue.getCueAsHTML().textContent, cue.id]) : null;
        element.remove();
      }
      return found;
    }, options.files);
  },

  async large() {
    const began = Date.now();
    await page.goto(options.url);
    await page.waitForSelector(".entry");
    await page.waitForFunction((count) => document.querySelectorAll(".entry").length === count, options.count);
    const out = { loaded: Date.now() - began };
    out.typing = await page.evaluate(() => {
      document.querySelector("#entry-700 .tools button:nth-of-type(1)").click();
      const box = document.querySelector("#entry-700 textarea"), times = [];
      for (let count = 0; count < 10; count += 1) {
        const before = performance.now();
        box.value += "x";
        box.dispatchEvent(new Event("input"));
        document.body.getBoundingClientRect();
        times.push(performance.now() - before);
      }
      return Math.min(...times); // the machine may have other work to do
    });
    await page.evaluate(() => document.getElementById("entry-1400").scrollIntoView());
    await page.waitForSelector("#entry-1400 img");
    out.pictures = await page.locator(".entry img").count();
    return out;
  },
};

try {
  seen.result = await scenarios[scenario]();
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
