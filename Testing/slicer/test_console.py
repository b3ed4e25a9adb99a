"""The console examples of the documents call what is there, with what it takes."""

import ast
import inspect
import re
import unittest

from bench import REPOSITORY

from MMGLSegment import MMGLSegmentLogic
from MMGLTrain import MMGLTrainLogic

LOGICS = {logic.__name__: logic for logic in (MMGLSegmentLogic, MMGLTrainLogic)}


def calls(code):
    """Yield the method of a logic and the call of it, for each call in a piece of code."""
    made = dict(re.findall(r"(\w+) = (\w+)\(\)", code))
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            logic = LOGICS.get(made.get(ast.unparse(node.func.value)))
            if logic:
                yield getattr(logic, node.func.attr), node


class ConsoleTest(unittest.TestCase):
    def test_every_call_of_the_examples_is_possible(self):
        text = (REPOSITORY / "docs" / "scripting.md").read_text(encoding="utf-8")
        found = [call for code in re.findall(r"```py\n(.*?)```", text, re.DOTALL) for call in calls(code)]
        self.assertGreaterEqual(len(found), 5)
        for method, call in found:
            with self.subTest(call=ast.unparse(call)):
                names = {keyword.arg: keyword.value for keyword in call.keywords}
                inspect.signature(method).bind(None, *call.args, **names)
