"""Where a run's time goes, how well it uses its device, and what of it was lost."""

from __future__ import annotations

import contextlib
import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax

from distinctad_jax.files import write_json
from distinctad_jax.training.flops import matrix_flops, peak_flops
from distinctad_jax.training.logbook import SESSIONS, read_logbook
from distinctad_jax.training.step import Step

PARTS = ("data", "compute", "checkpoint")
TRACED = 5
"""Steps that a trace asked for by SIGUSR1 holds."""


class Gauges:
    """Times of steps by what they were spent on; `mfu`, the share of the device's peak; memory; traces; goodput.

    Args:
      done: the step that is gone on from. writes: whether this process keeps files.
      profile: first and last step to trace, into `folder/profile`.
    """

    def __init__(self, folder: Path, done: int, *, writes: bool = True, profile: tuple[int, int] | None = None):
        self.folder, self.done, self.writes, self.profile = folder, done, writes, profile
        self.began = time.monotonic()
        self.spent: dict[str, float] = dict.fromkeys(PARTS, 0.0)
        self.first_end: float | None = None
        self.flops, self.peak, self.source = 0.0, 0.0, ""
        self._line = (0.0, done, dict(self.spent))
        self._tracing_until = 0
        self._open: tuple[str, float] | None = None
        self.before = _sessions(folder, done) if writes else []

    @contextlib.contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """What the block takes belongs to a part of `PARTS`."""
        self._open = part, time.monotonic()
        try:
            yield
        finally:
            self._count()
            self._open = None

    def _count(self) -> None:
        """What has been spent so far on the part that is under way."""
        if self._open is not None:
            part, began = self._open
            self._open = part, time.monotonic()
            self.spent[part] += self._open[1] - began

    def compiled(self, step_fn: Step, state: Any, arrays: Any) -> Step:
        """The step compiled for these arguments; its operations are counted on the way."""
        traced = step_fn.trace(state, arrays)
        self.flops = matrix_flops(traced.jaxpr.jaxpr)
        self.peak, self.source = peak_flops()
        return step_fn._replace(jitted=traced.lower().compile())

    def stepped(self, step: int) -> None:
        """A step has ended: the first one ends the start."""
        if self.first_end is None:
            self._count()
            self.first_end = time.monotonic()
            # What was spent so far was starting, whatever it was spent on.
            self.spent = dict.fromkeys(PARTS, 0.0)
            self._line = (self.seconds, step, dict(self.spent))

    @property
    def seconds(self) -> float:
        """Since the run began, or began again."""
        return time.monotonic() - self.began

    def line(self, step: int) -> dict[str, float]:
        """What a log line says: seconds since the start; means over the steps since the last line, in seconds."""
        self._count()
        now, (then, last, spent) = self.seconds, self._line
        numbers = {"seconds": now}
        steps = step - last
        if steps > 0:
            each = (now - then) / steps
            numbers["step_seconds"] = each
            numbers |= {f"{part}_seconds": (self.spent[part] - spent[part]) / steps for part in PARTS}
            if self.peak:
                numbers["mfu"] = self.flops / each / self.peak
            self._line = now, step, dict(self.spent)
        return numbers | _memory()

    def trace(self, step: int, asked: Any) -> None:
        """Begins or ends a trace, before `step` is taken: SIGUSR1 sets `asked`."""
        if self._tracing_until and step > self._tracing_until:
            self.end_trace()
        if self._tracing_until or not self.writes:
            return
        if self.profile and self.profile[0] == step:
            until = self.profile[1]
        elif asked.is_set():
            asked.clear()
            until = step + TRACED - 1
        else:
            return
        jax.profiler.start_trace(str(self.folder / "profile" / f"step_{step}"))
        self._tracing_until = until

    def end_trace(self) -> None:
        """Writes a trace that is under way."""
        if self._tracing_until:
            self._tracing_until = 0
            jax.profiler.stop_trace()

    def summary(self, step: int) -> dict[str, Any]:
        """The run as a whole, over all its starts; also written to `goodput.json`.

        goodput: the share of all seconds in which steps were taken that count, starting and steps that a crash threw
        away being the rest. Seconds between two starts are not known, and not counted.
        """
        total = self.seconds
        start = (self.first_end or time.monotonic()) - self.began
        wall = total + sum(one["seconds"] for one in self.before)
        kept = total - start + sum(one["kept_seconds"] for one in self.before)
        counted = max(step - self.done - 1, 0)  # the first step ends the start
        told: dict[str, Any] = {
            "step": step,
            "goodput": kept / wall if wall else 0.0,
            "seconds": wall,
            "starts": len(self.before) + 1,
            "lost_steps": sum(one["lost_steps"] for one in self.before),
            "last_start": {
                "steps": step - self.done,
                "seconds": total,
                "start_seconds": start,
                **{f"{part}_seconds": seconds for part, seconds in self.spent.items()},
                "data_share": self.spent["data"] / (total - start) if counted else 0.0,
            },
            "flops": self.flops,
            "mfu": self.flops * counted / (total - start) / self.peak if self.peak and counted else None,
            "peak": self.source,
        }
        if self.writes:
            with contextlib.suppress(OSError):
                write_json(self.folder / "goodput.json", told)
        return told

    def sentence(self, told: dict[str, Any]) -> str:
        """The summary in one line."""
        last = told["last_start"]
        mfu = f"{told['mfu']:.1%} of the peak ({told['peak']})" if told["mfu"] else f"no MFU: peak {told['peak']}"
        return (
            f"goodput {told['goodput']:.0%} of {told['seconds']:.0f} s, {told['starts']} start(s), "
            f"{told['lost_steps']} steps lost; data wait {last['data_share']:.1%}, "
            f"checkpoints {last['checkpoint_seconds']:.1f} s, {mfu}"
        )


def _sessions(folder: Path, done: int) -> list[dict[str, Any]]:
    """What earlier starts came to; to be asked before the logbook is cut, which still tells of the last of them."""
    path, lines = folder / SESSIONS, read_logbook(folder)
    try:
        told = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
        begun = sum(one["steps"] for one in told)
        last = [line for line in lines if line["step"] > begun]
        if last:
            kept = [line["seconds"] for line in last if line["step"] <= done]
            told.append(
                {
                    "seconds": last[-1]["seconds"],
                    "kept_seconds": max(kept, default=last[0]["seconds"]) - last[0]["seconds"],
                    "steps": done - begun,
                    "lost_steps": last[-1]["step"] - max(done, begun),
                }
            )
            path.write_text("".join(json.dumps(one) + "\n" for one in told), encoding="utf-8")
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return told


def _memory() -> dict[str, float]:
    """Bytes: of the device where it tells, else the most that this process has held."""
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_in_use" in stats:
        return {"device_memory": stats["bytes_in_use"], "device_memory_peak": stats.get("peak_bytes_in_use", 0)}
    return {"host_memory_peak": 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}
