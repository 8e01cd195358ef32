// What the W3C's checker (npm webvtt-parser) says of every VTT file of a folder, as one line of JSON.
import { readdirSync, readFileSync } from "node:fs";
import checker from "webvtt-parser";

const folder = process.argv[2], found = {};
for (const name of readdirSync(folder).filter((one) => one.endsWith(".vtt"))) {
  const { cues, errors } = new checker.WebVTTParser().parse(readFileSync(`${folder}/${name}`, "utf8"), "descriptions");
  found[name] = { errors: errors.map((one) => `${one.line}: ${one.message}`), cues: cues.map((cue) => [cue.startTime, cue.endTime, cue.text]) };
}
console.log(JSON.stringify(found));
