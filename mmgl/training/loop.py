"""The one training loop of all methods: stage after stage, step after step, best checkpoint kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from mmgl.data.cache import PreparedCase
from mmgl.data.plan import Plan
from mmgl.data.slices import SliceSampler
from mmgl.device import half_precision
from mmgl.losses.marginal import sets_table
from mmgl.messages import MMGLError
from mmgl.methods.stage import Method, Stage
from mmgl.networks.unet import UNet
from mmgl.training.budget import Budget
from mmgl.training.check import dice_on_check_cases
from mmgl.training.run import Run, flatten_optimiser, restore_optimiser

WARM_UP = 0.05
"""Share of a stage over which the learning rate rises; then it falls as a cosine to zero."""

CHECKS = 8
"""As many checks in a stage, evenly spread, the last at its end; fewer where a budget in minutes would suffer."""

CHECK_SHARE = 0.1
"""Of a stage's minutes the checks take about this share."""

LARGEST_GRADIENT = 1.0
UNTIMED_STEPS, TIMED_STEPS = 2, 5
"""Steps at the start of a stage that time this machine, when the budget is given in minutes."""

TELL_SECONDS = 0.5
SAVE_SECONDS = 60.0


class Trainer:
    """Trains a method.

    Args:
        method: on the device already.
        slices: of the training cases; its generator gives all randomness.
        checks: prepared check cases; may be empty, then the last network is kept.
        structures: how many.
        run: gets events and checkpoints.
        stop: asked after every step; once it says yes, a checkpoint is written and ``run.stopped`` raised.
    """

    def __init__(
        self,
        method: Method,
        slices: SliceSampler,
        checks: Sequence[PreparedCase],
        plan: Plan,
        structures: int,
        run: Run,
        device: torch.device,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        self.stop = stop or (lambda: False)
        self.method, self.slices, self.checks = method, slices, checks
        self.plan, self.structures, self.run, self.device = plan, structures, run, device
        self.sets = sets_table(slices.sets, structures, device)
        self.best = -1.0
        self.scores: list[float] = []
        self.schedule: dict[str, tuple[int, int]] = {}  # of each stage: its steps, and its checks
        self._first_stage, self._first_step = 0, 0
        self._saved_optimiser: dict[str, Tensor] = {}

    def resume(self) -> bool:
        """Go on from the run's last checkpoint; return whether there was one."""
        if not self.run.has("last"):
            return False
        tensors, state = self.run.load("last")
        self.method.load_state_dict({k[7:]: v for k, v in tensors.items() if k.startswith("method.")})
        self.slices.generator.set_state(tensors["generator"])
        self._saved_optimiser = {k: v for k, v in tensors.items() if k.startswith("optimiser.")}
        self._first_stage, self._first_step = state["stage"], state["step"]
        self.schedule = {name: (steps, checks) for name, (steps, checks) in state["schedule"].items()}
        if self.run.has("best"):  # it may be newer than the last checkpoint
            kept = self.run.load("best")[1]
            self.best, self.scores = kept["mean"], kept["dice"]
        return True

    def fit(self, budget: Budget) -> None:
        """Run all stages within the budget."""
        for number, stage in enumerate(self.method.stages):
            if number >= self._first_stage:
                self._run_stage(number, stage, budget)

    def _run_stage(self, number: int, stage: Stage, budget: Budget) -> None:
        optimiser = _optimiser(stage)
        step, self._first_step = self._first_step, 0
        if self._saved_optimiser:
            restore_optimiser(optimiser, self._saved_optimiser)
            self._saved_optimiser = {}
        self.method.train()
        if stage.name not in self.schedule:
            planned = budget.steps_of(stage.share)
            self.schedule[stage.name] = (planned, CHECKS) if planned else self._fit_into_time(stage, budget)
        steps, checks = self.schedule[stage.name]
        due = {math.ceil(steps * k / checks) for k in range(1, checks + 1)} if stage.segments and self.checks else set()
        self.run.tell("stage", stage=stage.name, number=number + 1, stages=len(self.method.stages), steps=steps)
        clock = _Clock(step)
        while step < steps:
            for group in optimiser.param_groups:
                group["lr"] = group["highest"] * _rate(step / steps)
            terms = self._step(stage, optimiser, step / steps)
            step += 1
            if clock.due("tell", TELL_SECONDS) or step == steps:
                values = {name: round(float(v.detach()), 5) for name, v in terms.items()}
                pace = clock.per_step(step)
                left = pace * (steps - step) + sum(
                    budget.seconds_for(s.share, pace) for s in self.method.stages[number + 1 :]
                )
                self.run.tell(
                    "step", stage=stage.name, step=step, steps=steps, loss=values, seconds_left=round(left, 1)
                )
            if step in due:
                self._check(stage, step, steps)
            stopped = self.stop()
            if stopped or clock.due("save", SAVE_SECONDS):
                self._save(number, step, optimiser)
            if stopped:
                raise MMGLError("run.stopped", name=self.run.folder.name)
        self._save(number + 1, 0, None)

    def _step(self, stage: Stage, optimiser: torch.optim.Optimizer, progress: float) -> dict[str, Tensor]:
        """Take one optimiser step and return the terms of its loss."""
        batch = stage.batch(self.slices, self.device)
        batch.sets = self.sets
        with half_precision(self.device):
            terms = stage.loss(batch, progress)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        for group in optimiser.param_groups:
            torch.nn.utils.clip_grad_norm_(group["params"], LARGEST_GRADIENT)
        optimiser.step()
        stage.after_step(progress)
        return terms

    def _fit_into_time(self, stage: Stage, budget: Budget) -> tuple[int, int]:
        """Return the steps and checks that fit into the stage's minutes, by timing a few that leave no trace."""
        weights = {name: value.clone() for name, value in self.method.state_dict().items()}
        randomness = self.slices.generator.get_state()
        probe = _optimiser(stage)
        begun = time.monotonic()
        for step in range(UNTIMED_STEPS + TIMED_STEPS):
            if step == UNTIMED_STEPS:
                timed = time.monotonic()
            self._step(stage, probe, 0.0)
        step_seconds = (time.monotonic() - timed) / TIMED_STEPS
        check_seconds = 0.0
        if stage.segments and self.checks:
            timed = time.monotonic()
            self._dice(self.checks[:2])
            check_seconds = (time.monotonic() - timed) * len(self.checks) / len(self.checks[:2])
        self.method.load_state_dict(weights)
        self.slices.generator.set_state(randomness)
        left = max(0.0, budget.seconds_of(stage.share) - (time.monotonic() - begun))
        checks = max(1, min(CHECKS, int(CHECK_SHARE * left / check_seconds))) if check_seconds else 1
        return max(1, int((left - checks * check_seconds) / step_seconds)), checks

    def _dice(self, cases: Sequence[PreparedCase]) -> list[float]:
        """Return the Dice of each structure over check cases."""
        network: UNet = self.method.network
        return dice_on_check_cases(network, cases, self.plan, self.structures, self.device)

    def _check(self, stage: Stage, step: int, steps: int) -> None:
        """Check the network, and keep it if it is the best so far."""
        dice = self._dice(self.checks)
        mean = float(torch.tensor(dice).nanmean())
        if mean > self.best:
            self.best, self.scores = mean, dice
            self.run.save("best", self.method.network.state_dict(), {"step": step, "dice": dice, "mean": mean})
        self.run.tell("check", stage=stage.name, step=step, steps=steps, dice=[_finite(d) for d in dice])

    def _save(self, stage: int, step: int, optimiser: torch.optim.Optimizer | None) -> None:
        """Write the checkpoint that ``resume`` goes on from."""
        tensors = {f"method.{k}": v for k, v in self.method.state_dict().items()}
        tensors["generator"] = self.slices.generator.get_state()
        if optimiser:
            tensors |= flatten_optimiser(optimiser)
        self.run.save("last", tensors, {"stage": stage, "step": step, "schedule": self.schedule})


class _Clock:
    """What is due, and the pace of the steps since it was made."""

    def __init__(self, step: int) -> None:
        self._start, self._first_step = time.monotonic(), step
        self._last: dict[str, float] = {}

    def due(self, what: str, seconds: float) -> bool:
        """Return whether ``seconds`` have passed since ``what`` was last due (or since the start)."""
        now = time.monotonic()
        if now - self._last.get(what, self._start) < seconds:
            return False
        self._last[what] = now
        return True

    def per_step(self, step: int) -> float:
        """Return the seconds of a step, checks included."""
        return max(1e-6, (time.monotonic() - self._start) / max(1, step - self._first_step))


def _optimiser(stage: Stage) -> torch.optim.Optimizer:
    """Return the optimiser of a stage; every group knows the highest learning rate it is led up to."""
    groups = [{"params": parameters, "lr": rate, "highest": rate} for parameters, rate in stage.groups()]
    return torch.optim.AdamW(groups, weight_decay=stage.weight_decay, foreach=True)


def _rate(progress: float) -> float:
    """Return the factor of the learning rate: a linear rise, then half a cosine down to zero."""
    if progress < WARM_UP:
        return (progress + 0.002) / (WARM_UP + 0.002)
    return 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


def _finite(value: float | None) -> float | None:
    """Return the value, or None for NaN, which JSON does not have."""
    return None if value is None or math.isnan(value) else round(value, 5)
