"""The one training loop of all methods: stage after stage, step after step, best checkpoint kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from mmgl.data.cache import PreparedCase
from mmgl.data.plan import Plan
from mmgl.data.slices import SliceSampler
from mmgl.device import precision
from mmgl.losses.marginal import sets_table
from mmgl.messages import MMGLError
from mmgl.methods.stage import Method, Stage
from mmgl.networks.unet import UNet
from mmgl.ranks import anybody, average_gradients
from mmgl.structures import Structure
from mmgl.training.budget import Budget
from mmgl.training.check import Checker
from mmgl.training.clock import Clock
from mmgl.training.course import Course
from mmgl.training.memory import in_use
from mmgl.training.optimiser import optimiser_of
from mmgl.training.pseudo_labels import PseudoLabels
from mmgl.training.rehearsal import rehearse
from mmgl.training.run import Run, flatten_optimiser, restore_optimiser
from mmgl.training.schedule import Schedule, rate

LARGEST_GRADIENT = 1.0

TELL_SECONDS = 0.5
REPLAN_SECONDS = 10.0
SAVE_SECONDS = 60.0
SHOW_SECONDS = 240.0


class Trainer:
    """Trains a method.

    Args:
        method: on the device already.
        slices: of the training cases; its generator gives all randomness.
        checks: prepared check cases; may be empty, then the last network is kept.
        structures: of the study.
        run: gets events, checkpoints and previews.
        stop: asked after every step; once it says yes, a checkpoint is written and ``fit`` returns.
    """

    def __init__(
        self,
        method: Method,
        slices: SliceSampler,
        checks: Sequence[PreparedCase],
        plan: Plan,
        structures: Sequence[Structure],
        run: Run,
        device: torch.device,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        self.stop = stop or (lambda: False)
        self.method, self.slices, self.plan, self.run, self.device = method, slices, plan, run, device
        self.sets = sets_table(slices.sets, len(structures), device)
        self.pseudo_labels = PseudoLabels(slices, plan, structures, run, device, self.stop)
        self.checker = Checker(checks, slices.cases, plan, structures, run, device, self.stop)
        self.segments = False  # whether a stage that learns to segment has begun
        self._first_stage, self._first_step = 0, 0
        self._unchecked = False  # whether the last check was stopped
        self._saved_optimiser: dict[str, Tensor] = {}
        self._clock = Clock()
        self.course = Course()

    def resume(self) -> bool:
        """Go on from the run's last checkpoint; return whether there was one."""
        try:
            self.checker.resume()
            if self.run.has("last"):
                self._go_on_from(*self.run.load("last"))
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            reason = "its checkpoints are not of this training"
            raise MMGLError("file.damaged", path=self.run.folder, reason=reason) from error
        return self.run.has("last")

    def _go_on_from(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Take over where a checkpoint is."""
        self.method.load_state_dict({k[7:]: v for k, v in tensors.items() if k.startswith("method.")})
        self.slices.generator.set_state(tensors["generator"])
        self._saved_optimiser = {k: v for k, v in tensors.items() if k.startswith("optimiser.")}
        self._first_stage, self._first_step = state["stage"], state["step"]
        self._unchecked = state["unchecked"]
        self.course = Course.from_json(state["course"])
        begun = self.method.stages[: self._first_stage + (self._first_step > 0)]
        self.segments = any(stage.segments for stage in begun)

    def fit(self, budget: Budget) -> bool:
        """Run all stages within the budget; return whether it came to the end, and was not stopped before."""
        stages = self.method.stages
        if self._first_stage == len(stages):
            return True
        rest = stages[self._first_stage :]
        pace = rehearse(self.method, rest, self.slices, self._try_step, self.checker.seconds, self.checker.after)
        self.slices.pseudo.clear()
        self.course.begin(stages, budget, pace)  # neither preparing nor rehearsing is on the user's time
        for number in range(self._first_stage, len(stages)):
            if not self._run_stage(number):
                return False
            if self.course.is_over(number):
                break
        self._save(len(stages), 0, None)
        with suppress(MMGLError):  # what is left over does no harm any more
            self.pseudo_labels.clear()
        return True

    def _run_stage(self, number: int) -> bool:
        """Run one stage to its end; return False when it was stopped."""
        stage = self.method.stages[number]
        optimiser = optimiser_of(stage)
        step, self._first_step = self._first_step, 0
        if self._saved_optimiser:
            restore_optimiser(optimiser, self._saved_optimiser)
            self._saved_optimiser = {}
        self.method.train()
        schedule = self.course.planned(number, step)
        if step == 0:
            self.pseudo_labels.clear()
            stage.begin()
            self.course.patience.begin(self.course.spent())
            self._save(number, 0, None)  # so that there always is one to go back to
        self.run.tell(
            "stage", stage=stage.name, number=number + 1, stages=len(self.method.stages), steps=schedule.steps
        )
        schedule = self.course.agreed(number, schedule)
        if self._unchecked:
            schedule = self._look(number, step, schedule)
            if self._unchecked:  # stopped again
                return False
        self.course.pace.begin()
        while step < schedule.steps:
            progress = schedule.progress(step)
            if stage.labeller and not self._label(stage.labeller, step):
                self._save(number, step, optimiser)
                return False
            for group in optimiser.param_groups:
                group["lr"] = group["highest"] * rate(progress, stage.curve)
            terms = self._step(stage, optimiser, progress)
            self.segments |= stage.segments
            self.course.pace.stepped()
            step += 1
            if self._clock.due("tell", TELL_SECONDS) or step == schedule.steps:
                self._tell_step(number, step, schedule, terms)
            if self._clock.due("replan", REPLAN_SECONDS):
                schedule = self.course.planned(number, step)
            schedule = self.course.agreed(number, schedule)
            if stage.segments:
                schedule = self._look(number, step, schedule)
            stopped = self._unchecked or anybody(self.stop())
            if stopped or self._clock.due("save", SAVE_SECONDS):
                self._save(number, step, optimiser)
            if stopped:
                return False
        return True

    def _label(self, labeller: UNet, step: int) -> bool:
        """Label as many scans as the step needs, which is no part of its pace; return False where it is to stop."""
        begun = time.monotonic()
        going_on = self.pseudo_labels.extend(labeller, step)
        self.course.pace.paused(time.monotonic() - begun)
        return going_on

    def _look(self, number: int, step: int, schedule: Schedule) -> Schedule:
        """Check the network where that is due; in a long stage at least show now and then what it finds.

        Returns:
            The schedule, which comes to its end early where nothing has risen for long.
        """
        begun, stage, self._unchecked = time.monotonic(), self.method.stages[number], False
        if schedule.check_due(step):
            scores = self.checker.check(self.method.network, stage.name, step, schedule.steps)
            self._unchecked = scores is None
            if scores is None:
                return schedule
            self.course.pace.checked(time.monotonic() - begun)
            self._clock.due("show", 0.0)
            if self.course.is_idle(number, step, schedule, scores):
                self.run.tell("idle", stage=stage.name, step=step)
                return self.course.ended(number, step, schedule)
        elif self._clock.due("show", SHOW_SECONDS):
            self.checker.show(self.method.network, stage.name, step)
            self.course.pace.paused(time.monotonic() - begun)
        return schedule

    def _tell_step(self, number: int, step: int, schedule: Schedule, terms: dict[str, Tensor]) -> None:
        """Tell where the training is, and how long it still takes."""
        stage = self.method.stages[number]
        values = {name: round(float(v.detach()), 5) for name, v in terms.items()}
        self.course.pace.measure(stage.name)
        share, left = self.course.share(number, step, schedule), self.course.seconds_left(number, step, schedule)
        facts = {"share": round(share, 4), "seconds_left": round(left, 1)}
        memory = in_use(self.device)
        self.run.tell("step", stage=stage.name, step=step, steps=schedule.steps, loss=values, **facts, memory=memory)

    def _step(self, stage: Stage, optimiser: torch.optim.Optimizer, progress: float) -> dict[str, Tensor]:
        """Take one optimiser step and return the terms of its loss."""
        batch = stage.batch(self.slices, self.device)
        batch.sets = self.sets
        with precision(self.device, self.plan.bfloat16):
            terms = stage.loss(batch, progress)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        average_gradients(p for group in optimiser.param_groups for p in group["params"])
        for group in optimiser.param_groups:
            torch.nn.utils.clip_grad_norm_(group["params"], LARGEST_GRADIENT)
        optimiser.step()
        stage.after_step(progress)
        return terms

    def _try_step(self, stage: Stage) -> None:
        """Take a step for rehearsal."""
        self.method.train()
        if stage.labeller:  # how long a step takes does not hang on what a scan is called
            number = self.slices.unlabelled[0]
            self.slices.pseudo = {number: self.slices.cases[number]}
        self._step(stage, optimiser_of(stage), 0.0)

    def _save(self, stage: int, step: int, optimiser: torch.optim.Optimizer | None) -> None:
        """Write the checkpoint that ``resume`` goes on from."""
        tensors = {f"method.{k}": v for k, v in self.method.state_dict().items()}
        tensors["generator"] = self.slices.generator.get_state()
        if optimiser:
            tensors |= flatten_optimiser(optimiser)
        state = {"stage": stage, "step": step, "unchecked": self._unchecked, "course": self.course.to_json()}
        self.run.save("last", tensors, state)
