"""A training that fits: memory that is too small, at the start and on the way, full disks, and cards that are lost."""

import errno
import json

import numpy as np
import pytest
import torch
from phantoms import ball_study
from safetensors import SafetensorError

from mmgl.data.plan import Normalisation, Plan, fitting_batch, make_plan
from mmgl.device import is_lost, is_out_of_memory
from mmgl.jobs import Job
from mmgl.messages import MMGLError
from mmgl.model import read_model
from mmgl.training import memory, preparing
from mmgl.training import run as run_module
from mmgl.training.budget import Budget
from mmgl.training.loop import Trainer
from mmgl.training.run import Run
from mmgl.training.train import resume, train

CUDA, CPU = torch.device("cuda"), torch.device("cpu")
FULL = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def key_of(call):
    with pytest.raises(MMGLError) as error:
        call()
    return error.value.key


@pytest.mark.parametrize(
    ("error", "memory", "lost"),
    [
        (FULL, True, False),
        (MemoryError(), True, False),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory"), True, False),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True, False),
        (RuntimeError("CUDA error: unspecified launch failure"), False, True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False, False),
        (ValueError("out of memory"), False, False),
    ],
)
def test_what_errors_mean(error, memory, lost):
    assert is_out_of_memory(error) is memory
    assert is_lost(error) is lost


def plan(width=32, batch=32, published=False):
    rules = (Normalisation("scan"),)
    return Plan((1.0, 1.0, 1.0), ("axial",), 128, rules, width=width, batch=batch, published=published)


@pytest.fixture
def run(tmp_path):
    with Run(tmp_path / "run") as run:
        run.write_config({"seed": 0, "method": "mmgl", "plan": plan().to_json(), "structures": [1], "cases": {}})
        yield run


def tried(run, monkeypatch, fits, first, device=CUDA, begun=False, after=None):
    """Return every plan that is tried until ``fits`` says that one does."""
    monkeypatch.setattr(memory, "free_memory", lambda device: 2 * 10**9)
    monkeypatch.setattr(memory, "_facts", lambda plan, device: {"batch": plan.batch, "device": device.type})
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    seen = []

    def work(plan, device):
        seen.append((device.type, plan.width, plan.batch))
        if begun and len(seen) == 1:
            run.save("last", {"a": torch.zeros(1)}, {})
        if not fits(plan, device):
            raise FULL
        return "done"

    assert memory.within_memory(work, first, device, run) == "done"
    return seen


def test_at_the_start_batch_and_width_step_down(run, monkeypatch):
    seen = tried(run, monkeypatch, lambda plan, device: plan.width * plan.batch <= 64, plan())
    assert seen == [("cuda", w, b) for w, b in ((32, 32), (32, 16), (32, 8), (16, 16), (16, 8), (16, 4))]
    assert run.read_config()["plan"]["batch"] == 4
    assert run.read_config()["seed"] == 0


def test_the_processor_is_the_last_resort(run, monkeypatch):
    seen = tried(run, monkeypatch, lambda plan, device: device.type == "cpu", plan(width=16, batch=4))
    assert seen == [("cuda", 16, 4), ("cuda", 16, 2), ("cpu", 16, 16)]
    told = [json.loads(line) for line in (run.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [event["device"] for event in told] == ["cuda", "cuda", "cpu"]


def test_on_the_way_the_network_stays_as_it_is(run, monkeypatch):
    seen = tried(run, monkeypatch, lambda plan, device: plan.batch <= 4, plan(), begun=True)
    assert seen == [("cuda", 32, b) for b in (32, 16, 8, 4)]


def test_when_nothing_is_left_to_try(run, monkeypatch):
    assert key_of(lambda: tried(run, monkeypatch, lambda plan, device: False, plan(batch=4), CPU)) == "memory.too_small"

    def fault(plan, device):
        raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape"):
        memory.within_memory(fault, plan(), CPU, run)

    def lost(plan, device):
        raise RuntimeError("CUDA error: device-side assert triggered")

    assert key_of(lambda: memory.within_memory(lost, plan(), CPU, run)) == "device.lost"


def test_small_cards_get_narrow_networks():
    from mmgl.data.facts import ChannelFacts, ScanFacts

    facts = [ScanFacts("a", (300, 512, 512), (1.0, 0.7, 0.7), "CT", (ChannelFacts(-900, 500, -100, 300),))]
    large, small = (make_plan(facts, free_memory=m * 10**9, on_gpu=True) for m in (20, 2))
    assert (large.width, large.batch) == (32, 32)
    assert small.width == 16
    assert small.batch == fitting_batch(2 * 10**9, 16, 256, on_gpu=True)
    assert fitting_batch(0, 16, 256, on_gpu=False) == 2


def test_memory_that_runs_out_on_the_way_costs_only_the_steps_since_the_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr("mmgl.training.loop.SAVE_SECONDS", 0.0)
    study = ball_study(tmp_path)
    step, taken, batches = Trainer._step, [], []

    def full_once(self, stage, optimiser, progress):
        if progress > 0.5 and not taken:
            taken.append(1)
            raise FULL
        batches.append((progress, self.plan.batch))
        return step(self, stage, optimiser, progress)

    monkeypatch.setattr(Trainer, "_step", full_once)
    events = []
    model = train(study, method="supervised", budget=Budget(steps=10), device="cpu", on_event=events.append)
    fits = [event for event in events if event["event"] == "fits"]
    assert [event["batch"] for event in fits] == [16, 8]
    assert read_model(model)[0].plan.batch == 8
    trained = [(p, b) for p, b in batches if p > 0]
    assert [round(10 * p) for p, _ in trained] == list(range(1, 10))  # no step twice, none left out
    assert {b for p, b in trained if p > 0.5} == {8}


def failing(after):
    """Return a ``save_file`` for which the disk is full after some checkpoints: half of a file, then no more."""
    written, real = [], run_module.save_file

    def save_file(tensors, path, metadata=None):
        written.append(path)
        if len(written) <= after:
            return real(tensors, path, metadata)
        real(tensors, path, metadata)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    return save_file


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What to train with, and the weights of a training that nothing disturbs."""
    arguments = {"method": "supervised", "budget": Budget(steps=6), "device": "cpu"}
    study = ball_study(tmp_path_factory.mktemp("undisturbed"))
    return arguments, read_model(train(study, name="whole", **arguments))[1]


def same(first, second):
    return first.keys() == second.keys() and all(np.array_equal(first[k], second[k]) for k in first)


def test_a_full_disk_leaves_the_last_good_checkpoint(undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr("mmgl.training.loop.SAVE_SECONDS", 0.0)
    arguments, whole = undisturbed
    study = ball_study(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "save_file", failing(5))
        assert key_of(lambda: train(study, name="full", **arguments)) == "file.unwritable"
    job = Job(study.folder / "runs" / "full")
    assert job.look().state == "failed"
    assert ".safetensors cannot be written" in job.look().words
    assert not list(job.folder.glob(".writing-*"))
    assert same(whole, read_model(resume(study, "full", device="cpu"))[1])


def test_a_drive_that_goes_away_and_comes_back(undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr("mmgl.training.loop.SAVE_SECONDS", 0.0)
    monkeypatch.setattr("mmgl.training.loop.TELL_SECONDS", 0.0)
    arguments, whole = undisturbed
    study = ball_study(tmp_path)

    def unplug(event):
        if event["event"] == "step" and event["step"] == 3:
            study.folder.rename(tmp_path / "unplugged")

    assert key_of(lambda: train(study, name="gone", on_event=unplug, **arguments)) == "job.away"
    assert not study.folder.exists()
    (tmp_path / "unplugged").rename(study.folder)
    assert Job(study.folder / "runs" / "gone").look().state == "running"  # of this very process, which lives
    assert same(whole, read_model(resume(study, "gone", device="cpu"))[1])


def test_a_disk_too_full_for_a_word_is_no_second_error(tmp_path, monkeypatch):
    study = ball_study(tmp_path)
    tell = Run.tell

    def full(self, event, **facts):
        if event in ("step", "failed"):
            raise OSError(errno.ENOSPC, "No space left on device", str(self.folder / "events.jsonl"))
        tell(self, event, **facts)

    monkeypatch.setattr(Run, "tell", full)
    with pytest.raises(OSError, match="No space") as error:
        train(study, method="supervised", budget=Budget(steps=5), device="cpu", name="full")
    assert error.value.errno == errno.ENOSPC
    assert Job(study.folder / "runs" / "full").look().key == "file.unwritable"


def test_too_little_disk_is_said_before_anything_is_prepared(tmp_path, monkeypatch):
    study = ball_study(tmp_path)
    monkeypatch.setattr(preparing, "free_disk", lambda folder: preparing.SPARE // 2)
    assert key_of(lambda: train(study, budget=Budget(steps=1), device="cpu")) == "disk.too_small"
    assert not (study.folder / "cache").exists()


def test_the_disk_is_asked_for_the_labels_of_a_training_too(tmp_path, monkeypatch):
    study = ball_study(tmp_path)
    train(study, method="supervised", budget=Budget(steps=1), device="cpu")
    monkeypatch.setattr(preparing, "free_disk", lambda folder: preparing.SPARE + 1)
    train(study, method="supervised", budget=Budget(steps=1), device="cpu")  # all is prepared
    assert key_of(lambda: train(study, method="mmgl+", budget=Budget(steps=1), device="cpu")) == "disk.too_small"


def test_a_scan_too_large_for_the_memory_is_left_out(tmp_path, monkeypatch):
    study = ball_study(tmp_path)
    real = preparing.prepare_case

    def prepare(study, case, plan, folder):
        if case.name == "case-2":
            raise MemoryError
        return real(study, case, plan, folder)

    monkeypatch.setattr(preparing, "prepare_case", prepare)
    events = []
    train(study, method="supervised", budget=Budget(steps=1), device="cpu", on_event=events.append)
    assert [e["key"] for e in events if e["event"] == "skipped"] == ["memory.scan"]
