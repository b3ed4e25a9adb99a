"""What becomes of what is painted: saved, understood, asked about, a label of the study; nothing of it is lost.

What is painted and not done is kept in the study now and then, and when Slicer or the scene is closed. A label whose
questions were not answered by then is asked about when the study is opened again.
"""

import time
from dataclasses import replace

from slicer.i18n import tr as _

from MMGLLib import case_nodes, label_files
from MMGLLib.label_files import NEW, SUFFIX, UNFINISHED, label_file
from MMGLLib.messages import MMGLError, unwritable
from MMGLLib.saving_label import SavingLabel
from MMGLTrainLib.going import Going
from MMGLTrainLib.told import CALL_IT, in_our_words, of_renamed, painted

EVERY = 60.0
"""Seconds between two times that what is not done is kept."""


class Keeping:
    """The way from what is painted to a label of the study.

    Args:
        desk: with the study.
        onChanged: called when something here is new.

    Attributes:
        said: what the label that was saved last holds, in words.
    """

    def __init__(self, desk, onChanged):
        self._desk, self._onChanged = desk, onChanged
        desk.onStructures = self.on_structures
        self._going, self._folder = Going(), None
        self.forget()

    def forget(self):
        """Know nothing of any study; what waits for answers stays in its folder."""
        self._pending, self._waiting, self._kept, self.said = None, [], {}, ""
        self._folder, self._looked = None, time.monotonic()

    def follow(self, study):
        """Go on with the labels that were done, and not understood, when the study was closed."""
        if study is not None and study.folder != self._folder and self._desk.writable:
            self._folder = study.folder
            names = {case.name for case in study.cases}
            files = {file.name.removesuffix(SUFFIX): file for file in label_files.waiting(study.folder)}
            self._waiting = [(name, file) for name, file in files.items() if name in names]
            self._take_next()

    @property
    def busy(self):
        """What it does, in words, or nothing."""
        if self._going.run is None:
            return ""
        return _("Saving what is painted in {case}").format(case=self._going.run.shown.name)

    @property
    def saving(self):
        """What is being saved, or None."""
        return self._going.run

    @property
    def case(self):
        """The name of the case whose label is on its way, or nothing."""
        return self._pending["case"] if self._pending is not None else ""

    @property
    def question(self):
        """What must be answered before the label is one of the study, or None."""
        return next(iter(self._pending["left"]), None) if self._pending is not None else None

    def opened(self, shown, new=True):
        """Take note of a case as its files have it; one that was in the scene is known already, or was done."""
        if new or (shown.name not in self._kept and shown.state == "done"):
            self._kept[shown.name] = shown.changed

    def on_structures(self, before):
        """Let the cases in the scene show the names and colours that the structures have now."""
        for shown in case_nodes.all_in_scene(self._desk.study):
            self._rename(shown, lambda shown=shown: shown.follow(before, self._desk.study.structures))

    def is_kept(self, shown):
        """Return whether nothing was painted in a case since it was opened or saved."""
        return self._kept.get(shown.name) == shown.changed

    def done(self, shown):
        """Save what is painted, and have it understood."""
        path = label_file(self._desk.opened.folder, NEW, shown.name)
        self._pending = {"case": shown.name, "path": path, "answers": {}, "left": []}
        self._pending["renamed"] = shown.renamed(self._desk.study.structures)
        self._save(shown, path, lambda event: self._on_saved(shown, path, event))

    def answer(self, value):
        """Answer the question: what a segment is."""
        name = self.question["parameters"]["name"]
        if value == CALL_IT and not self._call_it(self._pending["renamed"][name], name):
            return
        self._pending["left"].pop(0)
        self._pending["answers"][name] = name if value == CALL_IT else value
        if not self._pending["left"]:
            self._understand()

    def poll(self, shown):
        """Keep what is not done, now and then."""
        if time.monotonic() - self._looked > EVERY and not self.busy:
            self.keep(shown)

    def keep(self, shown):
        """Keep what is painted in a case and not done, where there is anything new."""
        self._looked = time.monotonic()
        if shown is None or not shown.there or not self._desk.writable or self.is_kept(shown):
            return
        if self.case != shown.name:  # its label is on its way
            state = "draft" if shown.state == "draft" else "drafting"
            path = label_file(self._desk.opened.folder, UNFINISHED[state], shown.name)
            self._save(shown, path, lambda event: self._on_kept(shown, path, event))

    def leave(self, shown):
        """Keep what is not done, as the study or the scene is about to be closed; writing goes on."""
        self.keep(shown)
        self._going.hurry()

    def finish(self):
        """Let what is being saved be saved, as Slicer is about to be closed."""
        self._going.finish()

    def _save(self, shown, path, on_event):
        """Begin to save; what was begun before is written before."""
        structures = self._desk.study.structures
        self._going.add(SavingLabel(shown, path, structures, on_event, after=self._going.run))

    def _on_saved(self, shown, path, event):
        """Have a label understood that was saved; that of a study that was closed waits for the next time."""
        if self._pending is None or self._pending["path"] != path:
            return
        if event["event"] == "failed":
            self._pending = None
            self._desk.onFail(event["error"])
        else:
            if shown.there and shown.changed == event["changed"]:  # or else somebody went on painting
                shown.done()
                self.opened(shown)
            self._pending.update(slices=event["slices"], told=event["told"])
            self.said = painted(event["slices"], event["told"])
            self._understand()
        self._onChanged()

    def _on_kept(self, shown, path, event):
        """Take note that what is not done is kept, in one place only, or that it was erased."""
        empty = event["event"] == "failed" and event["error"].key == "slicer.nothing_painted"
        if event["event"] == "done" or empty:
            self._kept[shown.name] = shown.changed if empty else event["changed"]
            label_files.forget_unfinished(path.parents[2], shown.name, but=None if empty else path)
            (self._desk.begun.discard if empty else self._desk.begun.add)(shown.name)
            if self._desk.errands.busy:  # which may have looked before, and then says what was so
                self._desk.survey()
        else:
            self._desk.onFail(event["error"])

    def _take_next(self):
        """Go on with the next label that waits, where none is on its way."""
        if self._pending is None and self._waiting:
            case, path = self._waiting.pop(0)
            self._pending = {"case": case, "path": path, "answers": {}, "left": [], "renamed": {}}
            self._understand()

    def _call_it(self, structure, name):
        """Give a structure the name that its segment has, and return whether that was possible."""
        return self._desk.change(lambda study: study.change_structure(replace(structure, name=name)))

    def _rename(self, shown, how):
        """Do what only gives the segments of a case other names, which is nothing that must be kept."""
        kept = self.is_kept(shown)
        how()
        if kept:
            self._kept[shown.name] = shown.changed

    def _understand(self):
        pending = self._pending
        self._desk.understand(pending["case"], pending["path"], pending["answers"], self._on_understood)

    def _on_understood(self, event):
        """Take over what a label means."""
        kind, pending = event["event"], self._pending
        if pending is None:
            return
        if kind == "asked":
            pending["left"] = [self._in_words(question) for question in event["questions"]]
        elif kind in ("understood", "failed"):
            self._pending = None
            if kind == "understood":
                self._join(pending, event)
            else:
                self._put_back(pending)
                self._desk.onFail(self._desk.told(event))
            self._take_next()
        self._onChanged()

    def _in_words(self, question):
        structure = self._pending["renamed"].get(question["parameters"]["name"])
        return of_renamed(question, structure) if structure is not None else in_our_words(question)

    def _join(self, pending, event):
        """Make a label that was understood one of the study."""
        kept = pending["path"].parents[1] / pending["path"].name
        try:
            pending["path"].replace(kept)
            self._desk.opened.set_label(pending["case"], kept, event["meanings"], event["structures"])
            label_files.forget_unfinished(self._desk.opened.folder, pending["case"])
            self._show_understood(pending, event["meanings"])
        except MMGLError as error:
            self._desk.onFail(error)
        except OSError as error:
            self._desk.onFail(unwritable(error, kept))
        self._desk.survey()

    def _show_understood(self, pending, meanings):
        """Let a case that is in the scene have the names that the study has for what is painted in it."""
        study = self._desk.study
        if self.said and "slices" in pending:  # or else another case is open
            called = {structure.id: structure.name for structure in study.structures}
            slices = [(called.get(meanings.get(name), name), count) for name, count in pending["slices"]]
            there = [name for name, count in slices if count]
            self.said = painted([one for one in slices if one[1] or one[0] not in there], pending["told"])
        shown = case_nodes.in_scene(study, study.case(pending["case"]))
        if shown is not None and self.is_kept(shown):  # or else somebody went on painting
            self._rename(shown, lambda: shown.understood(meanings, study.structures))

    def _put_back(self, pending):
        """Let a label that is no use as it is be shown as not done when its case is opened again."""
        target = label_file(self._desk.opened.folder, UNFINISHED["drafting"], pending["case"])
        target.parent.mkdir(parents=True, exist_ok=True)
        pending["path"].replace(target)
