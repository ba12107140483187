"""A training loop that can be stopped at any step and resumed to the same weights."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from freeda_svc.whole_files import placed_whole, write_whole

StepFunction = Callable[[np.random.Generator], torch.Tensor]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train: linear warm-up, then a cosine down to a twentieth of the rate."""

    steps: int
    learning_rate: float
    warmup: int = 200
    weight_decay: float = 0.01
    average_decay: float = 0.0

    def rate(self, step: int) -> float:
        """Return the learning rate of a step."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * (0.05 + 0.95 * 0.5 * (1 + float(np.cos(np.pi * progress))))


class Training:
    """A model, its optimiser and, if asked for, an exponential moving average of its weights.

    Randomness comes only from the seed and the number of a step, so a resumed run repeats an uninterrupted one
    with the same number of threads.
    """

    def __init__(self, name: str, model: nn.Module, schedule: Schedule, folder: Path, seed: int = 0) -> None:
        self.name, self.model, self.schedule, self.seed = name, model, schedule, seed
        self.checkpoint = folder / f"{name}.pt"
        self.curve_file = folder / f"{name}.curve.json"
        self.optimizer = torch.optim.AdamW(
            model.parameters(),
            lr=schedule.learning_rate,
            weight_decay=schedule.weight_decay,
            betas=(0.9, 0.98),
            fused=True,
        )
        self.average = {key: value.detach().clone() for key, value in model.state_dict().items()}
        self.step = 0
        self.seconds = 0.0
        self.curve: list[dict[str, float]] = []
        if self.checkpoint.is_file():
            self._load()

    def _load(self) -> None:
        state: dict[str, Any] = torch.load(self.checkpoint, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.step, self.seconds = state["average"], state["step"], state["seconds"]
        self.curve = state["curve"]

    def _save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
            "step": self.step,
            "seconds": self.seconds,
            "curve": self.curve,
        }
        # The curve first: it is written again when the steps behind the last checkpoint are done again.
        write_whole(self.curve_file, json.dumps(self.curve).encode("utf-8"))
        with placed_whole(self.checkpoint) as aside:
            torch.save(state, aside)

    def _update_average(self) -> None:
        decay = min(self.schedule.average_decay, (1 + self.step) / (10 + self.step))
        for key, value in self.model.state_dict().items():
            if value.is_floating_point():
                self.average[key].lerp_(value.detach(), 1 - decay)
            else:
                self.average[key].copy_(value)

    def run(self, step_function: StepFunction, *, save_every: int = 200) -> None:
        """Train to the end of the schedule.

        Args:
            step_function: draws a batch with the given generator and returns its scalar loss.
            save_every: steps between two checkpoints (and lines of the log).
        """
        self.model.train()
        recent: list[float] = []
        started = time.monotonic()
        while self.step < self.schedule.steps:
            torch.manual_seed(self.seed * 1_000_003 + self.step)
            rng = np.random.default_rng((self.seed, self.step))
            for group in self.optimizer.param_groups:
                group["lr"] = self.schedule.rate(self.step)
            loss = step_function(rng)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.step += 1
            if self.schedule.average_decay:
                self._update_average()
            recent.append(float(loss.detach()))
            if self.step % save_every == 0 or self.step == self.schedule.steps:
                now = time.monotonic()
                self.seconds, started = self.seconds + now - started, now
                self.curve.append({"step": self.step, "loss": float(np.mean(recent)), "seconds": self.seconds})
                recent.clear()
                self._save()
                print(f"{self.name}: {self.step}/{self.schedule.steps} {self.curve[-1]}", flush=True)
        if self.schedule.average_decay:
            self.model.load_state_dict(self.average)
        self.model.eval()
